"""What is asked: questions, sets of questions (checklists, permits, scores), and which belongs to which."""

from __future__ import annotations

from django.db import models

from .columns import Stamped


class Question(Stamped):
    """One question and the kind of answer it wants."""

    quesname = models.CharField(max_length=200)
    answertype = models.CharField(max_length=55, default="NONE")
    options = models.TextField(default="")
    min = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    max = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    alerton = models.CharField(max_length=300, default="")
    enable = models.BooleanField(default=True)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")

    class Meta:
        db_table = "question"
        constraints = [
            models.UniqueConstraint(
                fields=["quesname", "answertype", "client"],
                name="question_name_type_client_unique",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return self.quesname


class QuestionSet(Stamped):
    """A checklist or a form; the sections of a form are child sets."""

    qsetname = models.CharField(max_length=200)
    type = models.CharField(max_length=50, default="CHECKLIST")
    parent = models.ForeignKey("self", models.RESTRICT, null=True, related_name="+")
    seqno = models.SmallIntegerField(default=1)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    enable = models.BooleanField(default=True)

    class Meta:
        db_table = "questionset"
        constraints = [
            models.UniqueConstraint(
                fields=["qsetname", "parent", "type", "client", "bu"],
                name="questionset_name_parent_type_client_bu_unique",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return self.qsetname


class QuestionSetBelonging(Stamped):
    """A question's place in a set, with the limits that hold there."""

    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    question = models.ForeignKey("Question", models.RESTRICT, null=True, related_name="+", db_index=False)
    seqno = models.SmallIntegerField(default=1)
    answertype = models.CharField(max_length=50)
    min = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    max = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    alerton = models.CharField(max_length=300, default="")
    options = models.TextField(default="")
    ismandatory = models.BooleanField(default=True)
    isavpt = models.BooleanField(default=False)
    avpttype = models.CharField(max_length=50, default="NONE")
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "questionsetbelonging"
        constraints = [
            models.UniqueConstraint(
                fields=["qset", "question", "client", "bu"],
                name="questionsetbelonging_question_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"set {self.qset_id}, place {self.seqno}: question {self.question_id}"
