"""The tables by the names that the tasks use: `entities.Plan.objects`, whoever owns the table.

Each name is looked up when it is used, in `TASK_CATALOG["models"]`; without a setting it is a model of
`task_catalog.facility`. Only fields that `expected_fields` lists may be relied on, and no reverse names (`x_set`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Q

from youtility_tasks import errors

from .conf import FACILITY_MODELS, catalog

if TYPE_CHECKING:
    from django.contrib.sessions.models import Session

    from .facility.models import (
        Approver,
        Asset,
        AssetLog,
        Attachment,
        DeviceEventlog,
        EscalationMatrix,
        GeneratePDF,
        Location,
        Question,
        QuestionSet,
        QuestionSetBelonging,
        Reminder,
        ReportHistory,
        ScheduleReport,
        Shift,
        Ticket,
        Tracking,
        TypeAssist,
        Vendor,
    )
    from .facility.models import Bt as BusinessUnit
    from .facility.models import GeofenceMaster as Geofence
    from .facility.models import Job as Plan
    from .facility.models import Jobneed as Occurrence
    from .facility.models import JobneedDetails as Detail
    from .facility.models import People as Person
    from .facility.models import PeopleEventlog as Attendance
    from .facility.models import Pgbelonging as GroupMember
    from .facility.models import Pgroup as Group
    from .facility.models import Tenant as ClientTenant
    from .facility.models import Wom as WorkOrder
    from .facility.models import WomDetails as WorkOrderDetail

__all__ = [
    "Approver",
    "Asset",
    "AssetLog",
    "Attachment",
    "Attendance",
    "BusinessUnit",
    "ClientTenant",
    "Detail",
    "DeviceEventlog",
    "EscalationMatrix",
    "GeneratePDF",
    "Geofence",
    "Group",
    "GroupMember",
    "Location",
    "Occurrence",
    "Person",
    "Plan",
    "Question",
    "QuestionSet",
    "QuestionSetBelonging",
    "Reminder",
    "ReportHistory",
    "ScheduleReport",
    "Session",
    "Shift",
    "Ticket",
    "Tracking",
    "TypeAssist",
    "Vendor",
    "WorkOrder",
    "WorkOrderDetail",
    "is_none",
    "none_id",
    "points_nowhere",
]


def none_id() -> int:
    """The id of the NONE rows."""
    return catalog().none_id


def is_none(fk_id: int | None) -> bool:
    """Whether a foreign key points nowhere: NULL, or the NONE row."""
    return fk_id is None or fk_id == catalog().none_id


def points_nowhere(field: str) -> Q:
    """`is_none` as a condition of a query: `entities.Plan.objects.filter(entities.points_nowhere("parent"))`."""
    return Q(**{f"{field}__isnull": True}) | Q(**{field: catalog().none_id})


def __getattr__(name: str) -> Any:
    if name not in FACILITY_MODELS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    path = catalog().models[name]
    try:
        return apps.get_model(path)
    except LookupError as error:
        raise errors.ConfigurationError(
            f"TASK_CATALOG['models'][{name!r}] is {path!r}, which is no installed model. Install its app, or map "
            f"{name!r} to your own; `manage.py check` tells of every such mistake at once."
        ) from error
