"""WORKORDERLIST: work ordered from vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, F, QuerySet, Value, When
from django.db.models.functions import Coalesce

from task_catalog import entities
from task_catalog.reporting.registry import Chart, Column, Filters, Kind, register_report

from .parts import SITE_PERIOD, name_of

if TYPE_CHECKING:
    from task_catalog.facility.models import Wom


def work_order_list(filters: Filters) -> QuerySet[Wom, Any]:
    """A row a work order made in the period; permits and scores, which share the table, are not work orders."""
    vendor = Case(
        When(vendor__isnull=True, then=Value("")),
        default=Coalesce(F("vendor__name"), Value("")),
        output_field=CharField(),
    )
    return (
        entities.WorkOrder.objects.filter(
            entities.points_nowhere("parent"),
            client_id=filters.client_id,
            bu_id__in=filters.sites,
            identifier="WO",
            cdtz__gte=filters.start,
            cdtz__lt=filters.end,
        )
        .exclude(pk=entities.none_id())
        .annotate(site=F("bu__buname"), creator=name_of("cuser", "peoplename"), by_vendor=vendor)
        .order_by("site", "bu_id", "cdtz", "pk")
        .values_list(
            "pk", "cdtz", "creator", "plandatetime", "description", "endtime", "priority", "workstatus", "site", "by_vendor"
        )
    )  # fmt: skip


register_report(
    "WORKORDERLIST",
    SITE_PERIOD,
    [
        Column("Work Order", Kind.WHOLE),
        Column("Created On", Kind.INSTANT),
        Column("Created By"),
        Column("Planned Date Time", Kind.INSTANT),
        Column("Description"),
        Column("Completed On", Kind.INSTANT),
        Column("Priority"),
        Column("Status"),
        Column("Site"),
        Column("Vendor Name"),
    ],
    work_order_list,
    title="Work Order List",
    chart=Chart("Work orders by status", "Status"),
)
