"""Keeps Beat from firing rows of its tables, and learns what it has fired.

Beat keeps in its memory what it has fired, and looks into its tables every few seconds. So a row is held (its start is far ahead), together with a
probe that a living Beat disables when it looks: by then it has written down what it has fired, and fires no row that is held. A Beat that does not
answer is taken for stopped; what it has written then counts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from youtility_tasks import failpoints
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.models import BridgeSchedule
from youtility_tasks.models.bridge_schedules import Side
from youtility_tasks.schedules.firing import tenant_of

from .beat import Entry

PROBE = "youtility_tasks: does Beat look?"
_FAR = timedelta(days=3_600)
_ATTEMPTS = 3


def hold(entries: Sequence[Entry], wait_s: float) -> bool:
    """Keep Beat from firing these rows, and wait until it has seen that; whether it has answered."""
    for _ in range(_ATTEMPTS):
        far = timezone.now() + _FAR
        for entry in entries:
            _note(entry)
        keys = [entry.key for entry in entries]
        with transaction.atomic(using=settings().database):
            rows().filter(pk__in=keys).update(start_time=far)
            probe = _new_probe()
            tell()
        failpoints.reach("beat_held")
        answered = _wait_for(probe, wait_s)
        # A row that Beat had read before and wrote back after is as it was.
        if not rows().filter(pk__in=keys, enabled=True).exclude(start_time=far).exists():
            return answered
    raise ConfigurationError(
        f"Beat wrote its rows back {_ATTEMPTS} times while they were handed over. Stop Beat, and run this again."
    )


def _note(entry: Entry) -> None:
    with tenant_of(entry.tenant_id):
        rows_of_ours = BridgeSchedule.objects.using(settings().database)
        held = rows_of_ours.filter(source=entry.source, source_key=entry.key).first()
        held = held or BridgeSchedule(source=entry.source, source_key=entry.key)
        if held.pk is not None and held.status == Side.HELD:
            return  # by a run that ended in the middle: it has written down how the row was
        held.tenant_id, held.name, held.status = entry.tenant_id, entry.name, Side.HELD
        held.was = {
            "is_enabled": entry.is_enabled,
            "start_time": entry.starts_at.isoformat() if entry.starts_at else None,
        }
        held.save(using=settings().database)


def let_go(held: BridgeSchedule) -> None:
    """Of a row that was held and could not be made ours: as it was, and Beat fires it."""
    start = held.was.get("start_time")
    with tenant_of(held.tenant_id), transaction.atomic(using=settings().database):
        rows().filter(pk=held.source_key).update(start_time=datetime.fromisoformat(start) if start else None)
        held.delete(using=settings().database)
        tell()


def _new_probe() -> Any:
    """A row that has expired and sends nothing: a Beat that looks at it disables it."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    rows().filter(name=PROBE).delete()
    interval = IntervalSchedule.objects.filter(every=1, period=IntervalSchedule.SECONDS).first()
    interval = interval or IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    return PeriodicTask.objects.create(
        name=PROBE,
        task="youtility_tasks.probe",
        interval=interval,
        expires=timezone.now() - timedelta(days=1),
        description="gone in a moment",
    )


def _wait_for(probe: Any, wait_s: float) -> bool:
    deadline, told = time.monotonic() + wait_s, 0.0
    try:
        while True:
            if not rows().filter(pk=probe.pk, enabled=True).exists():
                return True
            if time.monotonic() >= deadline:
                return False
            if time.monotonic() - told > 1:  # its very first look at this goes unheard
                tell()
                told = time.monotonic()
            time.sleep(0.1)
    finally:
        rows().filter(pk=probe.pk).delete()


def rows() -> Any:
    """The rows of django-celery-beat. Raises ConfigurationError where no transaction holds them and our own."""
    from django_celery_beat.models import PeriodicTask

    used = router.db_for_write(PeriodicTask)
    if used != settings().database:
        raise ConfigurationError(
            f"django-celery-beat's tables are in the database {used!r}, the queue in {settings().database!r}: no transaction holds both. Copy the "
            "schedules with `manage_task_queue schedule add`, or move the tables first."
        )
    return PeriodicTask.objects.using(used)


def tell() -> None:
    """Let Beat look at its tables again."""
    from django_celery_beat.models import PeriodicTasks

    PeriodicTasks.update_changed()
