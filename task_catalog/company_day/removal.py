"""Removes what an earlier day left in the database, and nothing that is somebody else's."""

from __future__ import annotations

from datetime import timedelta

from django.apps import apps
from django.db import models, transaction

from task_catalog import entities, notices
from task_catalog.models import BlobLocation, Heartbeat, PlanFingerprint, PlayedClock
from youtility_tasks.models import Job, TaskEffect, TaskExecutionHistory, TaskWorkflow, Tenant

from .company import unit_code
from .definitions import CLIENTS, DAY_TASKS
from .seed import SESSION_PREFIX

_BEFORE_OTHERS = {
    "Reminder": "job__client",
    "JobneedDetails": "jobneed__client",
    "WomDetails": "wom__client",
    "Attachment": "bu",
    "Tracking": "people__client",
}
"""Rows that belong to a client through other rows, and by which way; they go first."""
_NOBODYS = {"Bt", "Tenant"}
"""Business units go last; the application's own tenants are nobody's."""


def client_ids() -> list[int]:
    """The clients that an earlier day made."""
    codes = [unit_code(client) for client in CLIENTS]
    return list(entities.BusinessUnit.objects.filter(bucode__in=codes).values_list("pk", flat=True))


@transaction.atomic
def remove_company() -> int:
    """Remove the clients of an earlier day with their rows, effects, jobs and history; how many clients there were.

    Needs the day's workers gone. Sweeps serve every client, so their attempts stay in the history, as any other's.
    """
    clients = client_ids()
    units = entities.BusinessUnit.objects.filter(models.Q(pk__in=clients) | models.Q(parent_id__in=clients))
    site_ids = list(units.values_list("pk", flat=True))
    facility = {model.__name__: model for model in apps.get_app_config("facility").get_models()}
    for name, path in _BEFORE_OTHERS.items():
        wanted = site_ids if path == "bu" else clients
        _erase(facility[name]._base_manager.filter(**{f"{path}__in": wanted}))
    for name, model in facility.items():
        if name not in _BEFORE_OTHERS and name not in _NOBODYS:
            _erase(model._base_manager.filter(client__in=clients))
    _erase(units)
    _erase(PlanFingerprint.objects.filter(client_id__in=clients))
    _erase(BlobLocation.objects.filter(client_id__in=clients))
    _erase(entities.Session.objects.filter(session_key__startswith=SESSION_PREFIX))
    _remove_heartbeats()
    _erase(TaskEffect.objects.filter(tenant_id__in=clients))
    for task in DAY_TASKS:
        # One notice a task and played hour; the same hour may be played again.
        _erase(TaskEffect.objects.filter(tenant_id=0, key__startswith=f"{notices.PREFIX}failed:{task}:"))
    # Before their jobs, whose going would release the next ones.
    _erase(TaskWorkflow.objects.filter(tenant_id__in=clients))
    _erase(Job.objects.filter(models.Q(tenant_id__in=clients) | models.Q(tenant_id=0, task_name__in=DAY_TASKS)))
    _erase(TaskExecutionHistory.objects.filter(tenant_id__in=clients))
    _erase(Tenant.objects.filter(pk__in=clients))
    return len(clients)


def _remove_heartbeats() -> None:
    """Those of the minutes that were played; real ones of other days stay."""
    played = PlayedClock.objects.values_list("instant", flat=True).first()
    if played is not None:
        midnight = played.replace(hour=0, minute=0, second=0, microsecond=0)
        _erase(Heartbeat.objects.filter(minute__gte=midnight, minute__lt=midnight + timedelta(days=1)))


def _erase(rows: models.QuerySet[models.Model]) -> None:
    """Delete in one statement, without loading the rows to ask what hangs on them."""
    rows._raw_delete(rows.db)
