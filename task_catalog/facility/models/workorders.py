"""Work by others: orders, permits and vendor scores (one table), their answers, vendors and approvers."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from .columns import LatLngField, MobileRow, Stamped


def empty_history() -> dict[str, list[Any]]:
    """The `wo_history` of an order to which nothing has happened."""
    return {"wo_history": []}


class Vendor(Stamped, MobileRow):
    """A company that works on a client's sites."""

    code = models.CharField(max_length=50)
    name = models.CharField(max_length=255)
    email = models.CharField(max_length=100, default="")
    mobno = models.CharField(max_length=15, default="")
    description = models.TextField(default="")
    show_to_all_sites = models.BooleanField(default=False)
    enable = models.BooleanField(default=True)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "vendor"
        constraints = [
            models.UniqueConstraint(fields=["code", "client"], name="vendor_code_client_unique", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"


class Wom(Stamped, MobileRow):
    """A work order (WO), a work permit (WP) or a vendor's score (SLA); its sections are child rows."""

    class WorkStatus(models.TextChoices):
        ASSIGNED = "ASSIGNED"
        RE_ASSIGNED = "RE_ASSIGNED"
        INPROGRESS = "INPROGRESS"
        COMPLETED = "COMPLETED"
        CANCELLED = "CANCELLED"
        CLOSED = "CLOSED"

    class Decision(models.TextChoices):
        NOT_REQUIRED = "NOT_REQUIRED"
        PENDING = "PENDING"
        APPROVED = "APPROVED"
        REJECTED = "REJECTED"

    description = models.CharField(max_length=200)
    identifier = models.CharField(max_length=10, null=True)  # noqa: DJ001 - null on sections, as in the application
    workstatus = models.CharField(max_length=60, choices=WorkStatus, default=WorkStatus.ASSIGNED)
    workpermit = models.CharField(max_length=35, choices=Decision, default=Decision.NOT_REQUIRED)
    verifiers_status = models.CharField(max_length=50, choices=Decision, default=Decision.NOT_REQUIRED)
    approvers = ArrayField(models.CharField(max_length=50), default=list)
    verifiers = ArrayField(models.CharField(max_length=50), default=list)
    categories = ArrayField(models.CharField(max_length=50), default=list)
    vendor = models.ForeignKey("Vendor", models.RESTRICT, null=True, related_name="+", db_index=False)
    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    parent = models.ForeignKey("self", models.RESTRICT, null=True, related_name="+")
    seqno = models.SmallIntegerField(default=0)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    asset = models.ForeignKey("Asset", models.RESTRICT, null=True, related_name="+", db_index=False)
    location = models.ForeignKey("Location", models.RESTRICT, null=True, related_name="+", db_index=False)
    ticketcategory = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    priority = models.CharField(max_length=50, default="LOW")
    plandatetime = models.DateTimeField(null=True)
    expirydatetime = models.DateTimeField(null=True)
    starttime = models.DateTimeField(null=True)
    endtime = models.DateTimeField(null=True)
    gpslocation = LatLngField(null=True)
    alerts = models.BooleanField(default=False)
    ismailsent = models.BooleanField(default=False)
    isdenied = models.BooleanField(default=False)
    attachmentcount = models.IntegerField(default=0)
    remarks = models.JSONField(default=list)
    wo_history = models.JSONField(default=empty_history)
    other_data = models.JSONField(default=dict)

    class Meta:
        db_table = "wom"
        indexes = [models.Index(fields=["client", "bu", "identifier"], name="wom_client_site_kind")]

    def __str__(self) -> str:
        return f"{self.description} ({self.pk})"


class WomDetails(Stamped, MobileRow):
    """One question of a section and its answer."""

    wom = models.ForeignKey("Wom", models.RESTRICT, null=True, related_name="+")
    question = models.ForeignKey("Question", models.RESTRICT, null=True, related_name="+", db_index=False)
    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    seqno = models.SmallIntegerField(default=0)
    answertype = models.CharField(max_length=50, default="NONE")
    answer = models.CharField(max_length=250, default="")
    min = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    max = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    alerton = models.CharField(max_length=300, default="")
    options = models.TextField(default="")
    isavpt = models.BooleanField(default=False)
    avpttype = models.CharField(max_length=50, default="NONE")
    ismandatory = models.BooleanField(default=True)
    alerts = models.BooleanField(default=False)
    attachmentcount = models.IntegerField(default=0)

    class Meta:
        db_table = "womdetails"
        constraints = [models.UniqueConstraint(fields=["question", "wom"], name="womdetails_question_wom_unique")]

    def __str__(self) -> str:
        return f"section {self.wom_id}, question {self.question_id}"


class Approver(Stamped):
    """A person who verifies or approves; `approverfor` holds WORKPERMIT, SLA_TEMPLATE, ..., `sites` bucodes."""

    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    approverfor = ArrayField(models.CharField(max_length=50), default=list)
    sites = ArrayField(models.CharField(max_length=50), default=list)
    forallsites = models.BooleanField(default=True)
    identifier = models.CharField(max_length=50, default="APPROVER")
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "approver"

    def __str__(self) -> str:
        return f"{self.identifier} {self.people_id}"
