"""What a run that has come to rest leaves behind, read from the database, from Redis and from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection
from django_celery_beat.models import PeriodicTask

from youtility_tasks.celery_bridge import broker, moving, parity, routes
from youtility_tasks.models import BridgeRun, ScheduledTask, ScheduledTaskExecution

from . import acting
from .evidence import BEAT_NAME, Beat, Evidence
from .handed_out import lost_by_celery
from .tasks import TICK

if TYPE_CHECKING:
    from .play import Play


def evidence(play: Play, seed: int) -> Evidence:
    """All of it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT key, side FROM {acting.TABLE} ORDER BY key, side")  # noqa: S608 - a name of ours
        effects = list(cursor.fetchall())
    with broker.opened() as opened:
        in_redis = {f"{name} in Redis": each.queued + each.held for name, each in opened.waiting().items()}
    reports = parity.reports(play.names, least=1)
    return Evidence(
        seed=seed, tasks=play.names, ledger=play.ledger.read(), effects=effects, tick=TICK,
        beat=_beat(play, PeriodicTask.objects.get(name=BEAT_NAME)), shadows=BridgeRun.objects.filter(side="shadow").count(),
        moved=play.moved, adopted=play.adopted, rollbacks=play.rollbacks,
        routes={each.task_name: str(each) for each in routes.listing() if each.task_name in play.names},
        waiting={**in_redis, **{f"{name} here": n for name, n in moving.left_here(play.names).items()}},
        lost_by_celery=lost_by_celery(play.ledger.folder / "appendonlydir"),
        parity=[each.task_name for each in reports if each.pairs.outcomes_differ or each.pairs.results_differ],
    )  # fmt: skip


def _beat(play: Play, row: Any) -> Beat:
    ours = ScheduledTask.objects.get(name=BEAT_NAME)
    ticks = ScheduledTaskExecution.objects.filter(schedule_id=ours.pk).order_by("tick_at")
    fired = [each.tick_at.timestamp() for each in ticks if each.outcome == "fired"]
    noted = [(each.tick_at.timestamp(), each.tick_count) for each in ticks if each.outcome != "fired"]
    return Beat(
        counted=play.counted, counted_at_end=row.total_run_count, last_at=play.last_at, ours=fired, noted=noted,
        settled_to=max([*fired, *(at + n - 1 for at, n in noted)], default=play.last_at),
    )  # fmt: skip
