"""What went wrong and who hears of it next: tickets and the matrix that they climb."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from .columns import MobileRow, Stamped


def empty_history() -> dict[str, list[Any]]:
    """The `ticketlog` of a ticket to which nothing has happened."""
    return {"ticket_history": []}


class Ticket(Stamped, MobileRow):
    """A complaint or a missed round; `ticketno` is `<site's bucode>#<n>`, n counting per client and site."""

    class Status(models.TextChoices):
        NEW = "NEW"
        OPEN = "OPEN"
        ONHOLD = "ONHOLD"
        RESOLVED = "RESOLVED"
        CLOSED = "CLOSED"
        CANCELLED = "CANCELLED"

    class Source(models.TextChoices):
        SYSTEMGENERATED = "SYSTEMGENERATED"
        USERDEFINED = "USERDEFINED"

    ticketno = models.CharField(max_length=200, unique=True)
    ticketdesc = models.TextField()
    assignedtopeople = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    assignedtogroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    comments = models.CharField(max_length=250, default="")
    identifier = models.CharField(max_length=50, default="TICKET")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    priority = models.CharField(max_length=50, default="LOW")
    ticketcategory = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    location = models.ForeignKey("Location", models.RESTRICT, null=True, related_name="+", db_index=False)
    asset = models.ForeignKey("Asset", models.RESTRICT, null=True, related_name="+", db_index=False)
    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    modifieddatetime = models.DateTimeField(null=True)
    level = models.IntegerField(default=0)
    status = models.CharField(max_length=50, choices=Status, default=Status.NEW)
    performedby = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    ticketlog = models.JSONField(default=empty_history)
    isescalated = models.BooleanField(default=False)
    ticketsource = models.CharField(max_length=50, choices=Source, default=Source.USERDEFINED)

    class Meta:
        db_table = "ticket"
        constraints = [models.CheckConstraint(condition=Q(level__gte=0), name="ticket_level_not_negative")]
        indexes = [
            models.Index(fields=["client", "bu"], name="ticket_client_site"),
            models.Index(
                fields=["client", "ticketcategory", "cdtz"],
                condition=Q(status__in=["NEW", "OPEN", "ONHOLD"]),
                name="ticket_live",
            ),
        ]

    def __str__(self) -> str:
        return self.ticketno


class EscalationMatrix(Stamped):
    """Who hears of a live ticket when: `frequencyvalue` times `frequency` after its creation it reaches `level`.

    A row with a real `job` is something else: a reminder rule of that plan, sent so long before the plan time.
    """

    escalationtemplate = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    level = models.IntegerField(default=1)
    frequency = models.CharField(max_length=10, default="DAY")
    frequencyvalue = models.IntegerField(null=True)
    assignedperson = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    assignedgroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    assignedfor = models.CharField(max_length=50, default="")
    body = models.TextField(default="")
    notify = models.CharField(max_length=254, default="")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    job = models.ForeignKey("Job", models.RESTRICT, null=True, related_name="+")

    class Meta:
        db_table = "escalationmatrix"
        constraints = [
            models.CheckConstraint(
                condition=Q(frequencyvalue__isnull=True) | Q(frequencyvalue__gte=0),
                name="escalationmatrix_value_not_negative",
            )
        ]
        indexes = [models.Index(fields=["client", "escalationtemplate", "level"], name="escalationmatrix_level")]

    def __str__(self) -> str:
        return f"level {self.level} after {self.frequencyvalue} {self.frequency} ({self.pk})"
