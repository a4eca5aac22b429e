"""TASKSUMMARY, TOURSUMMARY and PPMSUMMARY: how much of what was planned was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from task_catalog import entities
from task_catalog.reporting.registry import Chart, Column, Filters, Kind, register_report

from .parts import SITE_PERIOD, local_day, percentage, planned_roots

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

_PLANNED = Q(jobtype="SCHEDULE")


def _per_site_and_day(filters: Filters, identifier: str) -> QuerySet[Jobneed, Any]:
    """A row a site and local day. What people made up on the spot (ADHOC) is in the first total and in its own; how
    far the work came is told of the scheduled ones, and what of them is not completed was not performed (yet)."""
    return (
        planned_roots(filters, identifier)
        .values("bu_id", site=F("bu__buname"), day=local_day("plandatetime", filters))
        .annotate(
            total=Count("pk"),
            scheduled=Count("pk", filter=_PLANNED),
            adhoc=Count("pk", filter=Q(jobtype="ADHOC")),
            pending=Count("pk", filter=_PLANNED & Q(jobstatus="ASSIGNED")),
            closed=Count("pk", filter=_PLANNED & Q(jobstatus="AUTOCLOSED")),
            completed=Count("pk", filter=_PLANNED & Q(jobstatus="COMPLETED")),
            left=Count("pk", filter=_PLANNED & ~Q(jobstatus="COMPLETED")),
        )
        .annotate(share=percentage("completed", "scheduled"))
        .order_by("site", "bu_id", "day")
        .values_list(
            "site", "day", "total", "scheduled", "adhoc", "pending", "closed", "completed", "left", "share"
        )
    )  # fmt: skip


def task_summary(filters: Filters) -> QuerySet[Jobneed, Any]:
    """Tasks by site and day."""
    return _per_site_and_day(filters, "TASK")


def tour_summary(filters: Filters) -> QuerySet[Jobneed, Any]:
    """Internal tours by site and day; a tour is one, however many checkpoints it has (D49)."""
    return _per_site_and_day(filters, "INTERNALTOUR")


def ppm_summary(filters: Filters) -> QuerySet[Jobneed, Any]:
    """Planned maintenance by type of asset and site, of the period that was asked for and no other (D49).

    On time: completed not after the expiry; a completed row without an end time counts with the moment it was changed.
    """
    kind = Case(
        When(entities.points_nowhere("asset"), then=Value("")),
        When(entities.points_nowhere("asset__type"), then=Value("")),
        default=Coalesce(F("asset__type__taname"), Value("")),
        output_field=CharField(),
    )
    return (
        planned_roots(filters, "PPM")
        .filter(_PLANNED)
        .annotate(ended=Coalesce("endtime", "mdtz"))
        .values("bu_id", site=F("bu__buname"), kind=kind)
        .annotate(
            scheduled=Count("pk"),
            on_time=Count("pk", filter=Q(jobstatus="COMPLETED", ended__lte=F("expirydatetime"))),
            late=Count("pk", filter=Q(jobstatus="COMPLETED", ended__gt=F("expirydatetime"))),
            missed=Count("pk", filter=Q(jobstatus="AUTOCLOSED")),
        )
        .annotate(share=percentage("on_time", "scheduled"))
        .order_by("site", "bu_id", "kind")
        .values_list("kind", "scheduled", "on_time", "late", "missed", "share", "site")
    )


def _columns(what: str) -> list[Column]:
    counts = [f"Total {what}", "Total Scheduled", "Total Adhoc", "Total Pending", "Total Closed", "Total Completed"]
    return [
        Column("Site"),
        Column("Planned Date", Kind.DATE),
        *(Column(name, Kind.WHOLE) for name in [*counts, "Not Performed"]),
        Column("Percentage", Kind.PERCENT),
    ]


_HOW_FAR = ("Total Completed", "Total Closed", "Total Pending")

register_report(
    "TASKSUMMARY",
    SITE_PERIOD,
    _columns("Tasks"),
    task_summary,
    title="Task Summary",
    chart=Chart("Tasks by site", "Site", _HOW_FAR),
)
register_report(
    "TOURSUMMARY",
    SITE_PERIOD,
    _columns("Tours"),
    tour_summary,
    title="Tour Summary",
    chart=Chart("Tours by site", "Site", _HOW_FAR),
)
register_report(
    "PPMSUMMARY",
    SITE_PERIOD,
    [
        Column("Asset Type"),
        Column("Total PPM Scheduled", Kind.WHOLE),
        Column("Completed On Time", Kind.WHOLE),
        Column("Completed After Schedule", Kind.WHOLE),
        Column("PPM Missed", Kind.WHOLE),
        Column("Percentage", Kind.PERCENT),
        Column("Site Name"),
    ],
    ppm_summary,
    title="PPM Summary",
    chart=Chart("Maintenance by site", "Site Name", ("Completed On Time", "Completed After Schedule", "PPM Missed")),
)
