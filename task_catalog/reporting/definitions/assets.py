"""ASSETWISETASKSTATUS: what became of the tasks at each asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Q, QuerySet

from task_catalog import entities
from task_catalog.reporting.registry import Chart, Column, Filters, Kind, register_report

from .parts import SITE_PERIOD, planned_roots

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed


def asset_task_status(filters: Filters) -> QuerySet[Jobneed, Any]:
    """A row an asset; tasks at no asset in particular are left out."""
    return (
        planned_roots(filters, "TASK")
        .exclude(entities.points_nowhere("asset"))
        .values("asset_id", name=F("asset__assetname"), site=F("bu__buname"))
        .annotate(
            closed=Count("pk", filter=Q(jobstatus="AUTOCLOSED")),
            completed=Count("pk", filter=Q(jobstatus="COMPLETED")),
            total=Count("pk"),
        )
        .order_by("site", "name", "asset_id")
        .values_list("name", "closed", "completed", "total", "site")
    )


register_report(
    "ASSETWISETASKSTATUS",
    [*SITE_PERIOD, "asset"],
    [
        Column("Asset"),
        Column("AutoClosed", Kind.WHOLE),
        Column("Completed", Kind.WHOLE),
        Column("Total", Kind.WHOLE),
        Column("Site"),
    ],
    asset_task_status,
    title="Assetwise Task Status",
    chart=Chart("Tasks by asset", "Asset", ("Completed", "AutoClosed")),
)
