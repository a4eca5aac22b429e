"""STATICDETAILEDTOURSUMMARY and DYNAMICDETAILEDTOURSUMMARY: each tour with its checkpoints, reached and missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower

from task_catalog import entities
from task_catalog.reporting.registry import Chart, Column, Filters, Kind, register_report

from .parts import SITE_PERIOD, assignee, name_of, percentage, planned_roots

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed


def static_tours(filters: Filters) -> QuerySet[Jobneed, Any]:
    """Tours that were planned by the clock."""
    return _tours(filters, ~Q(dynamic="true"))


def dynamic_tours(filters: Filters) -> QuerySet[Jobneed, Any]:
    """Tours of which the next begins when the former is done."""
    return _tours(filters, Q(dynamic="true"))


def _tours(filters: Filters, kind: Q) -> QuerySet[Jobneed, Any]:
    dynamic = Coalesce(Lower(KeyTextTransform("isdynamic", F("other_info"))), Value(""), output_field=TextField())
    return (
        planned_roots(filters, "INTERNALTOUR")
        .annotate(dynamic=dynamic)
        .filter(kind)
        .annotate(
            site=F("bu__buname"),
            assigned=assignee("people", "pgroup"),
            performer=name_of("performedby", "peoplename"),
            stops=_stops(filters, Q()),
            reached=_stops(filters, Q(jobstatus="COMPLETED")),
            missed=_stops(filters, Q(jobstatus="AUTOCLOSED")),
        )
        .annotate(share=percentage("reached", "stops"))
        .order_by("site", "bu_id", "plandatetime", "pk")
        .values_list(
            *("site", "jobdesc", "plandatetime", "assigned", "jobstatus", "starttime", "endtime", "performer"),
            *("stops", "reached", "missed", "share"),
        )
    )


def _stops(filters: Filters, which: Q) -> Coalesce:
    counted = (
        entities.Occurrence.objects.filter(parent_id=OuterRef("pk"), client_id=filters.client_id)
        .order_by()
        .values("parent_id")
        .annotate(number=Count("pk", filter=which))
        .values("number")
    )
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


_COLUMNS = [
    Column("Site"),
    Column("Tour/Route"),
    Column("Planned Datetime", Kind.INSTANT),
    Column("Assigned To"),
    Column("Status"),
    Column("Started On", Kind.INSTANT),
    Column("Performed On", Kind.INSTANT),
    Column("Performed By"),
    Column("Checkpoints", Kind.WHOLE),
    Column("Checkpoints Completed", Kind.WHOLE),
    Column("Checkpoints Missed", Kind.WHOLE),
    Column("Percentage", Kind.PERCENT),
]
_CHART = Chart("Checkpoints by site", "Site", ("Checkpoints Completed", "Checkpoints Missed"))

register_report(
    "STATICDETAILEDTOURSUMMARY",
    SITE_PERIOD,
    _COLUMNS,
    static_tours,
    title="Static Detailed Tour Summary",
    chart=_CHART,
)
register_report(
    "DYNAMICDETAILEDTOURSUMMARY",
    SITE_PERIOD,
    _COLUMNS,
    dynamic_tours,
    title="Dynamic Detailed Tour Summary",
    chart=_CHART,
)
