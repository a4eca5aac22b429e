"""LISTOFTASKS and LISTOFTOURS: every planned visit with its times, who should do it and who did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, F, Q, QuerySet, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower

from task_catalog.reporting.registry import Chart, Column, Filters, Kind, register_report

from .parts import SITE_INSTANTS, assignee, name_of, planned_roots

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

_BEFORE = ("site", "jobdesc", "plandatetime", "expirydatetime", "assigned", "jobtype", "jobstatus")


def _visits(filters: Filters, *identifiers: str) -> QuerySet[Jobneed]:
    return (
        planned_roots(filters, *identifiers)
        .annotate(
            site=F("bu__buname"),
            assigned=assignee("people", "pgroup"),
            performer=name_of("performedby", "peoplename"),
            at_asset=name_of("asset", "assetname"),
            checklist=name_of("qset", "qsetname"),
        )
        .order_by("site", "bu_id", "plandatetime", "pk")
    )


def list_of_tasks(filters: Filters) -> QuerySet[Jobneed, Any]:
    """A row a task."""
    return _visits(filters, "TASK").values_list(*_BEFORE, "starttime", "endtime", "performer", "at_asset", "checklist")


def list_of_tours(filters: Filters) -> QuerySet[Jobneed, Any]:
    """A row a tour, internal or from site to site; its checkpoints are not tours."""
    bound = Coalesce(Lower(KeyTextTransform("istimebound", F("other_info"))), Value(""), output_field=TextField())
    return (
        _visits(filters, "INTERNALTOUR", "EXTERNALTOUR")
        .annotate(bound=bound)
        .annotate(
            is_bound=Case(When(Q(bound="true"), then=Value("Yes")), default=Value("No"), output_field=CharField())
        )
        .values_list(*_BEFORE, "starttime", "endtime", "performer", "is_bound")
    )


def _columns(what: str, *more: str) -> list[Column]:
    return [
        Column("Site"),
        Column(what),
        Column("Planned Datetime", Kind.INSTANT),
        Column("Expiry Datetime", Kind.INSTANT),
        Column("Assigned To"),
        Column("Job Type"),
        Column("Status"),
        Column("Started On", Kind.INSTANT),
        Column("Performed On", Kind.INSTANT),
        Column("Performed By"),
        *(Column(name) for name in more),
    ]


register_report(
    "LISTOFTASKS",
    [*SITE_INSTANTS, "asset", "qset", "people"],
    _columns("Description", "Asset", "Question Set"),
    list_of_tasks,
    title="List of Tasks",
    chart=Chart("Tasks by status", "Status"),
)
register_report(
    "LISTOFTOURS",
    [*SITE_INSTANTS, "people"],
    _columns("Tour/Route", "Is Time Bound"),
    list_of_tours,
    title="List of Tours",
    chart=Chart("Tours by status", "Status"),
)
