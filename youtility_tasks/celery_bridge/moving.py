"""Moves calls that wait from one side to the other, each exactly once: take, then write, then forget.

To us: a message goes from its list to MOVING in one script; then its job and its row in BridgeCall are one transaction; then MOVING forgets it.
To Celery: its job leaves the queue, and its message is a row of BridgeMove, in one transaction; then one script of Redis appends it once, by
the row's number; then the row goes. Whoever is killed leaves something in MOVING or BridgeMove, and every move begins with what an earlier
one has left; one runs at a time. What is part of a canvas, or in its retries, ends where it is, and is told.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from youtility_tasks import audit, failpoints, history, membership, queries, registry, tenants
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import EnqueueError
from youtility_tasks.models import BridgeCall, BridgeMove, Job
from youtility_tasks.secrets import sealing
from youtility_tasks.status import JobStatus
from youtility_tasks.tenancy import roles

from . import broker as brokers
from . import claims, config, here, in_celery, known, old_side
from .alone import alone
from .broker import Broker, Message
from .unfinished import everybody, give_back

_BATCH = 200
_SOON = timedelta(seconds=1)
"""What a worker holds and is due so soon is left to it."""
_LOOK_S = 0.5

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Moved:
    """What a move has done."""

    to: str
    moved: Counter[str] = field(default_factory=Counter)
    """Task -> how many calls."""
    left: Counter[str] = field(default_factory=Counter)
    """Why some ended where they were -> how many."""

    @property
    def count(self) -> int:
        """All that were moved."""
        return sum(self.moved.values())


def to_postgres(task_names: Collection[str], *, reason: str = "") -> Moved:
    """Move what waits in Celery of these tasks to our queue. Running it again does what a killed one has left.

    Raises BrokerAway, and Refused while another move is under way.
    """
    return _move(claims.POSTGRES, task_names, reason)


def to_celery(task_names: Collection[str], *, reason: str = "") -> Moved:
    """Move what waits in our queue of these tasks to Celery. Raises as `to_postgres`."""
    return _move(claims.CELERY, task_names, reason)


def wait_until_drained(task_names: Collection[str], *, of_celery: bool, timeout_s: float) -> dict[str, int]:
    """Wait until nothing of these tasks waits or runs on that side; what still does after `timeout_s`, by task (empty: nothing)."""
    until = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        left = left_in_celery(task_names) if of_celery else left_here(task_names)
        if not left or time.monotonic() >= until:
            return left
        time.sleep(max(_LOOK_S, 4 * (time.monotonic() - began)))  # long lists are a long look for Redis, too


def left_in_celery(task_names: Collection[str]) -> dict[str, int]:
    """What waits or runs there, by task. Raises BrokerAway."""
    with brokers.opened() as broker:
        found = broker.waiting()
    counts = {name: found[name].queued + found[name].held for name in task_names if name in found}
    return {name: n for name, n in counts.items() if n}


def left_here(task_names: Collection[str]) -> dict[str, int]:
    """What waits or runs here, by task."""
    counts: Counter[str] = Counter()
    for tenant_id in everybody():
        with tenants.whose(tenant_id):
            live = Job.objects.filter(task_name__in=list(task_names), status__in=[JobStatus.TODO, JobStatus.DOING])
            of_task = live.filter(tenant_id=tenant_id).order_by().values_list("task_name")
            counts.update(dict(of_task.annotate(n=Count("pk"))))
    return dict(counts)


def _move(to: str, task_names: Collection[str], reason: str) -> Moved:
    membership.allow("move", None)
    done, names = Moved(to), {registry.get(name).name for name in task_names}
    with roles.acting_here("ops"):  # who cannot enter it afterwards does not begin
        pass
    with alone(), brokers.opened() as broker:
        give_back(broker)
        _settle(broker, done)
        if to == claims.POSTGRES:
            broker.take(names)
            failpoints.reach("bridge_taken")
            _settle(broker, done)
            _take_held(broker, names, done)
        else:
            for tenant_id in everybody():
                with tenants.whose(tenant_id):
                    while _take_jobs(broker, tenant_id, names, done):
                        _send_all(broker, tenant_id)
    if done.count or done.left:
        after = {"moved": dict(done.moved), "left": dict(done.left)}
        with roles.acting_here("ops"):  # it concerns more than one tenant
            audit.write("move", f"to {to}: {', '.join(sorted(names))}", reason=reason, after=after)
    logger.info("moved by hand to=%s count=%s left=%s", to, done.count, sum(done.left.values()))
    return done


def settle(app: Any) -> None:
    """End what a move that was killed has left, before what is left in Redis is taken for all there is. The caller is `alone`."""
    with brokers.opened(app) as broker:
        _settle(broker, Moved(claims.POSTGRES))


def _settle(broker: Broker, done: Moved) -> None:
    """Do what is under way, of this move or of one that was killed: in either direction."""
    for item in broker.taken():
        message = brokers.read(brokers.text(item.partition(b"\n")[2]))
        flaw = "unreadable" if message is None else _flaw(message)
        if message is not None and flaw is None:
            flaw = _written(message, done)
            failpoints.reach("bridge_written")
        if flaw is None:
            broker.settle(item)
        else:
            done.left[flaw] += 1
            broker.put_back(item)
    for tenant_id in everybody():
        with tenants.whose(tenant_id):
            sent = _send_all(broker, tenant_id)
            done.moved.update(sent if done.to == claims.CELERY else ())


# -- to us


def _flaw(message: Message) -> str | None:
    """Why a message ends in Celery."""
    task = registry.find(message.task_name)
    if task is None:
        return "its task is not registered here"
    if message.is_canvas:
        return "part of a canvas, which ends in Celery as a whole"
    if message.retries:
        return "in its retries"
    if known.of(task) is None and '"__type__"' in json.dumps([message.args, message.kwargs]):
        return "its arguments are no plain JSON"
    return "it names no tenant" if not message.tenant_id and task.tenant == "one" else None


def _written(message: Message, done: Moved) -> str | None:
    """Write the job of a message, unless it has one; why that cannot be."""
    task = registry.get(message.task_name)
    said: dict[str, Any] = {"task_id": message.celery_id, "eta": message.eta, "expires": message.expires}
    if known.of(task) is not None:
        is_elsewhere = message.queue != (config.conf["task_default_queue"] or "celery")
        said |= {"headers": message.headers, "queue": message.queue if is_elsewhere else None}
        said["priority"] = min(message.priority, 9) or None  # Celery writes 0 where nobody says anything
    try:
        with tenants.whose(message.tenant_id), transaction.atomic(using=settings().database):
            row = claims.hold_for_move(message.celery_id, task.name, message.tenant_id)
            if row.side == claims.POSTGRES:
                return None
            if row.step == claims.RUN:
                return "a worker has begun it"
            here.send(task, message.args, message.kwargs, {name: each for name, each in said.items() if each})
            done.moved[task.name] += 1
    except EnqueueError as error:
        logger.warning("left in Celery id=%s task=%s why=%s", message.celery_id, message.task_name, error)
        return f"refused: {type(error).__name__}"
    return None


def _take_held(broker: Broker, names: Collection[str], done: Moved) -> None:
    """What workers hold until it is due: their fence (`in_celery.fence`) lets nothing run that has a job here."""
    for message in broker.held():
        if message.task_name not in names:
            continue
        flaw = _flaw(message)
        if flaw is None and (message.eta is None or message.eta < timezone.now() + _SOON):
            flaw = "held by a worker, and due"
        if flaw is None and not in_celery.is_fenced(broker.app, message.task_name):
            flaw = "held by a worker until it is due"
        flaw = flaw or _written(message, done)
        if flaw is None:
            broker.drop_held(message.tag)
        else:
            done.left[flaw] += 1


# -- to Celery


def _take_jobs(broker: Broker, tenant_id: int, names: Collection[str], done: Moved) -> int:
    """Take some jobs of this tenant off the queue, and write their messages; how many."""
    database = settings().database
    with transaction.atomic(using=database):
        waiting = Job.objects.using(database).filter(
            tenant_id=tenant_id, task_name__in=list(names), status=JobStatus.TODO
        )
        rows, left = [], Counter[str]()
        for job in waiting.order_by("pk")[:20_000]:
            flaw = _flaw_of(job)
            if flaw is None:
                rows.append(job)
            else:
                left[flaw] += 1
            if len(rows) == _BATCH:
                break
        if not rows:
            done.left.update(left)
            return 0
        gone = queries.fetch(
            "cancel_jobs",
            {
                "job_ids": [job.pk for job in rows],
                "from_status": JobStatus.TODO,
                "reason": "moved to Celery",
                "tenant_id": tenant_id or None,
            },
        )
        ids = {job_id for job_id, *_ in gone}
        for job in rows:
            if job.pk in ids:
                _write_message(broker, job, done)
        if ids:
            audit.write("move", f"{len(ids)} jobs to Celery", tenant_id=tenant_id, after={"jobs": sorted(ids)})
    failpoints.reach("bridge_cancelled")
    return len(ids)


def _flaw_of(job: Job) -> str | None:
    """Why a job ends here."""
    task = registry.find(job.task_name)
    if task is None or job.step_id is not None:
        return "a step of a workflow, which ends here as a whole"
    if job.attempts or job.attempts_before:
        return "in its retries"
    if task.rule is not None:
        return "its arguments may be changed by another call"
    stored = job.args if isinstance(job.args, dict) else {}
    if task.marks or sealing.holds_sealed(stored, verbatim=task.verbatim):
        return "its arguments are sealed"
    return "part of a canvas, which ends here as a whole" if _is_of_canvas(task.verbatim, stored) else None


def _is_of_canvas(verbatim: bool, stored: dict[str, Any]) -> bool:
    said = (stored.get("kwargs") or {} if verbatim else stored).get("$celery") or {}
    return any(said.get(each) for each in ("before", "errors", "step", "group"))


def _write_message(broker: Broker, job: Job, done: Moved) -> None:
    database, task = settings().database, registry.get(job.task_name)
    row = BridgeCall.objects.using(database).filter(tenant_id=job.tenant_id, job_id=job.pk).first()
    celery_id = (
        row.celery_id if row is not None else str(uuid.uuid5(uuid.NAMESPACE_OID, f"youtility-tasks job {job.pk}"))
    )
    BridgeCall.objects.using(database).update_or_create(
        tenant_id=job.tenant_id, celery_id=celery_id,
        defaults={"job_id": None, "step": "", "task_name": task.name, "side": claims.CELERY, "at": timezone.now()},
    )  # fmt: skip
    args, kwargs = history.unpack(task, job.args)
    named = {name: each for name, each in kwargs.items() if not name.startswith("$")}
    key, raw = old_side.message(
        broker,
        task,
        args,
        named,
        celery_id=celery_id,
        tenant_id=job.tenant_id,
        eta=_utc(job.scheduled_at),
        expires=_utc(job.expires_at),
        headers=(kwargs.get("$celery") or {}).get("headers") or {},
        queue=(kwargs.get("$celery") or {}).get("queue"),
        priority=_urgency_said(task, job),
    )
    BridgeMove.objects.using(database).create(
        tenant_id=job.tenant_id, task_name=task.name, celery_id=celery_id, queue_name=key, message=raw
    )
    done.moved[task.name] += 1


def _urgency_said(task: Task, job: Job) -> int | None:
    """Celery's priority of a call that has been given one; None: the task's. A job's column is 11 less ours, and ours is Celery's and 1."""
    ours = 11 - job.priority
    return ours - 1 if known.of(task) is not None and ours != task.priority else None


def _utc(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _send_all(broker: Broker, tenant_id: int) -> list[str]:
    """Give Redis the messages that this tenant's rows hold, each once; their tasks."""
    sent: list[str] = []
    rows = BridgeMove.objects.using(settings().database).filter(tenant_id=tenant_id)
    for row in rows.order_by("pk").iterator():
        broker.send_once(row.pk, row.queue_name, row.message)
        failpoints.reach("bridge_sent")
        row_id = row.pk
        row.delete(using=settings().database)
        broker.forget(row_id)
        sent.append(row.task_name)
    return sent
