"""PEOPLEATTENDANCESUMMARY: who came and went, day by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import DurationField, ExpressionWrapper, F, Max, Min, QuerySet, Sum
from django.db.models.functions import Coalesce

from task_catalog import entities
from task_catalog.reporting.registry import Column, Filters, Kind, register_report

from .parts import SITE_PERIOD, local_day

if TYPE_CHECKING:
    from task_catalog.facility.models import PeopleEventlog

ATTENDANCE = ("SELF", "SELFATTENDANCE", "MARK", "MARKATTENDANCE")
"""The kinds of punches that mean somebody is at work; conveyance, audits and crises are none."""


def people_attendance(filters: Filters) -> QuerySet[PeopleEventlog, Any]:
    """A row a person and local day: first in, last out, and the time between each in and its out."""
    of_person = {"people_id": filters.ids["people"]} if "people" in filters.ids else {}
    return (
        entities.Attendance.objects.annotate(
            at=Coalesce("punchintime", "punchouttime"),
            worked=ExpressionWrapper(F("punchouttime") - F("punchintime"), output_field=DurationField()),
        )
        .filter(
            client_id=filters.client_id,
            bu_id__in=filters.sites,
            peventtype__tacode__in=ATTENDANCE,
            at__gte=filters.start,
            at__lt=filters.end,
            **of_person,
        )
        .exclude(entities.points_nowhere("people"))
        .order_by()
        .values(
            "people_id",
            "bu_id",
            site=F("bu__buname"),
            code=F("people__peoplecode"),
            name=F("people__peoplename"),
            day=local_day("at", filters),
        )
        .annotate(came=Min("punchintime"), left=Max("punchouttime"), hours=Sum("worked"))
        .order_by("site", "bu_id", "name", "people_id", "day")
        .values_list("site", "code", "name", "day", "came", "left", "hours")
    )


register_report(
    "PEOPLEATTENDANCESUMMARY",
    [*SITE_PERIOD, "people"],
    [
        Column("Site"),
        Column("Code"),
        Column("Name"),
        Column("Day", Kind.DATE),
        Column("In", Kind.INSTANT),
        Column("Out", Kind.INSTANT),
        Column("Hours"),
    ],
    people_attendance,
    unsupported=["html", "json", "csv"],
    title="People Attendance Summary",
)
