"""Questions are copied inside the database: all of their columns, whatever the table has besides."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from task_catalog import entities
from task_catalog.facility.models import JobneedDetails, QuestionSetBelonging
from task_catalog.planning import questions
from tests.catalog.planning.world import NONE, details
from youtility_tasks import Transient


@pytest.fixture
def row(acme, site):
    return acme.work(site)


def places(qset) -> list[int]:
    return list(QuestionSetBelonging.objects.filter(qset=qset).order_by("seqno").values_list("pk", flat=True))


def test_every_pair_becomes_a_row_in_the_order_given(acme, row):
    first, second = places(acme.qset(2))

    assert questions.ask([(row.pk, second), (row.pk, first), (row.pk, NONE)]) == 3

    made = list(JobneedDetails.objects.filter(jobneed=row).order_by("pk"))
    assert [each.seqno for each in made] == [2, 1, -1]
    assert [each.answer for each in made] == [None, None, "NONE"]
    assert len({each.uuid for each in made}) == 3
    assert (made[0].alerts, made[0].attachmentcount, made[0].cdtz) == (False, 0, row.cdtz)


def test_nothing_to_ask_is_no_statement(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert questions.ask([]) == 0


def test_a_question_that_was_taken_out_meanwhile_is_tried_again(acme, row):
    (there,) = places(acme.qset(1))

    with pytest.raises(Transient, match="1 questions were taken out"):
        questions.ask([(row.pk, there), (row.pk, 999_999)])


def test_columns_that_only_another_application_has_get_their_defaults(acme, row, monkeypatch):
    theirs = _their_details()
    with connection.schema_editor() as editor:
        editor.create_model(theirs)
    monkeypatch.setattr(entities, "Detail", theirs, raising=False)
    (place,) = places(acme.qset(1))

    questions.ask([(row.pk, place), (row.pk, NONE)])

    one, placeholder = theirs.objects.order_by("pk")
    assert (one.transcript, one.transcript_status, one.score) == ("", "NONE", None)
    assert {type(each.uuid) for each in (one, placeholder)} == {uuid.UUID}
    assert one.uuid != placeholder.uuid
    assert (one.alerton, one.ismandatory, placeholder.answer) == ("<1,>9", False, "NONE")
    assert details(row) == []


@isolate_apps("task_catalog.facility")
def _their_details() -> Any:
    """Question rows as another application may have them: more columns, defaults known to Django only."""
    own = {
        field.name: field.clone() for field in JobneedDetails._meta.concrete_fields if field.name not in ("id", "uuid")
    }

    class TheirDetails(models.Model):
        uuid = models.UUIDField(unique=True, default=uuid.uuid4)
        transcript = models.TextField(default="")
        transcript_status = models.CharField(max_length=20, default="NONE")
        score = models.IntegerField(null=True)

        class Meta:
            app_label = "facility"
            db_table = "their_details"

        def __str__(self) -> str:
            return str(self.pk)

    for name, field in own.items():
        if field.is_relation:
            field = models.BigIntegerField(null=True, db_column=f"{name}_id")
        TheirDetails.add_to_class(name, field)
    return TheirDetails
