"""Takes what waits in Celery's Redis over into our queue: each message exactly once, whenever this is killed.

A message leaves its list for one of ours in one step of Redis; its job and the note of its id are one transaction; then it is let go. A run that finds
messages held begins with them: the note says whether they are jobs already. What could not run here as it is meant stays where it is.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction

from youtility_tasks import audit, enqueue, failpoints, queries, registry
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import ConfigurationError, YoutilityTaskError
from youtility_tasks.models import BridgeCall
from youtility_tasks.schedules.firing import tenant_of
from youtility_tasks.tenancy import roles

from . import here, known, messages, moving, options, plain, positions, sources
from .alone import alone
from .messages import Message
from .redis_side import Broker, Consumers, QueueConsumed
from .request import HEADERS
from .sources import Tenants

BATCH = 100
_MOST_TOLD = 200
_ACT = "adopt messages of Celery"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """A message that stays in Redis, and why."""

    queue: str
    task_name: str
    celery_id: str
    why: str


@dataclass(slots=True)
class Adopted:
    """What was taken over, or would be."""

    queues: list[str] = field(default_factory=list)
    consumers: Consumers | None = None
    jobs: Counter[str] = field(default_factory=Counter)
    """New jobs by task."""
    already: int = 0
    """Messages whose job was there already: a run before had been ended in the middle, or Celery had two of one id."""
    left: list[Left] = field(default_factory=list)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Of those that stay: by task and reason."""
    lost_headers: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Call:
    """A message that can be a job."""

    message: Message
    task: Task
    args: list[Any]
    kwargs: dict[str, Any]
    tenant_id: int
    said: dict[str, Any] | None = None
    """Options of Celery's, where the task is one of its form."""


def adopt(
    app: Any,
    tenants: Tenants,
    *,
    queues: Sequence[str] | None = None,
    tasks: Iterable[str] | None = None,
    dry_run: bool = False,
    ignore_clients: Iterable[str] = (),
) -> Adopted:
    """Take over what waits in these queues of Celery's (None: all that it has), of these tasks (None: all that are known here).

    Raises QueueConsumed while a living worker consumes one of them: it holds messages in its memory, which would run there as well.
    """
    with contextlib.ExitStack() as until:
        broker = until.enter_context(contextlib.closing(Broker(app)))
        if not dry_run:
            until.enter_context(alone())
        chosen = list(queues) if queues is not None else broker.queues()
        done = Adopted(chosen, broker.consumers(chosen))
        if not dry_run:
            _refuse_consumed(chosen, done.consumers, set(ignore_clients))
        work = _Work(broker, tenants, None if tasks is None else _names(tasks), done, dry_run=dry_run)
        if not dry_run:
            moving.settle(app)
            work.resume()
        for queue in chosen:
            for key in broker.layout.lists(queue):
                work.empty_list(queue, key)
        work.empty_unacked(set(chosen))
        if done.jobs:
            logger.info(
                "messages adopted jobs=%s left=%s queues=%s", done.jobs.total(), done.reasons.total(), ",".join(chosen)
            )
        if done.jobs and not dry_run:
            with roles.acting_here("ops"):  # of more than one tenant
                audit.write(_ACT, ", ".join(chosen), after={"jobs": dict(done.jobs), "left": done.reasons.total()})
    return done


def _names(tasks: Iterable[str]) -> set[str]:
    """Every name that these tasks have had."""
    found = set()
    for name in tasks:
        task = registry.resolve(name)
        found |= {name} if task is None else {task.name, *task.aliases, name}
    return found


def _refuse_consumed(queues: Sequence[str], found: Consumers | None, ignored: set[str]) -> None:
    if found is None:
        return
    unknown = [each for each in found.unknown if each not in ignored]
    if found.busy:
        who = "; ".join(f"{worker} consumes {', '.join(theirs)}" for worker, theirs in sorted(found.busy.items()))
        stop = " ".join(
            f"celery -A ... control cancel_consumer {queue};"
            for queue in sorted({q for each in found.busy.values() for q in each})
        )
        raise QueueConsumed(
            f"Celery's workers live: {who}. What they hold in memory (each ETA, and what they have fetched) would run there as well. Stop them "
            f"(SIGTERM: they end what runs and put the rest back), then run this again; a worker of other queues too: {stop} then restart it without them."
        )
    if found.silent > 0:
        raise QueueConsumed(
            f"{found.silent} Celery worker(s) listen and do not answer: each is busy in its only process, or frozen. Stop them (SIGTERM, and SIGKILL for a "
            "frozen one), then run this again."
        )
    if unknown:
        raise QueueConsumed(
            f"Somebody who is no Celery worker that listens waits on lists of this Redis: {', '.join(unknown)} (`redis-cli client list`). A Celery worker "
            "without remote control? Stop it. If it is something else: --ignore-client ADDRESS."
        )


class _Work:
    """One run."""

    def __init__(
        self, broker: Broker, tenants: Tenants, tasks: set[str] | None, done: Adopted, *, dry_run: bool
    ) -> None:
        self.broker, self.tenants, self.tasks, self.done, self.dry_run = broker, tenants, tasks, done, dry_run
        self.zone = broker.app.timezone

    def resume(self) -> None:
        """End what a run before has begun."""
        for holding in self.broker.held():
            while raws := self.broker.client.lrange(holding, -BATCH, -1):
                before = self.broker.client.llen(holding)
                self._write(holding, [messages.read(raw, self.zone) for raw in reversed(raws)])
                if self.broker.client.llen(holding) >= before:
                    raise ConfigurationError(
                        f"What is held in {holding!r} can neither be a job nor be put back; look at it with redis-cli."
                    )

    def empty_list(self, queue: str, key: str) -> None:
        """Take over what a list has; what cannot be ours stays, in its order."""
        left = 0
        while raws := self.broker.waiting(key, left, BATCH):
            good: list[bytes] = []
            for raw in raws:
                if self._look(replace(messages.read(raw, self.zone), queue=queue)) is None or self.dry_run:
                    left += 1
                else:
                    good.append(raw)
            if good:
                taken = self.broker.take(key, good)
                failpoints.reach("adopt_taken")
                holding = self.broker.layout.holding(key.removeprefix(self.broker.layout.prefix))
                left += self._write(holding, [replace(messages.read(raw, self.zone), queue=queue) for raw in taken])

    def empty_unacked(self, queues: set[str]) -> None:
        """Take over what workers that are gone had fetched and not acknowledged."""
        good: dict[bytes, Message] = {}
        for tag, entry in self.broker.unacked():
            message = self._of_entry(entry)
            if message.queue not in queues:
                continue
            if self._look(message) is not None and not self.dry_run:
                good[tag] = message
        tags = list(good)
        for n in range(0, len(tags), BATCH):
            taken = self.broker.take_unacked(tags[n : n + BATCH])
            failpoints.reach("adopt_taken")
            holding = self.broker.layout.holding(self.broker.layout.unacked)
            self._write(holding, [good[tag] for tag in tags[n : n + BATCH] if tag in taken])

    def _of_entry(self, entry: bytes) -> Message:
        message = messages.read(entry, self.zone)
        exchange, _, key = message.delivery.partition("\x00")
        return replace(message, queue=self.broker.queue_of(exchange, key))

    def _look(self, message: Message, *, is_counted: bool = True) -> _Call | None:
        """The call, if it could be a job of ours; else it is noted why not."""
        try:
            call = self._call(message)
            if self.dry_run:
                self.done.jobs[call.task.name] += 1
            return call
        except (YoutilityTaskError, messages.Unreadable) as error:
            if is_counted:
                self._note_left(message, str(error))
            return None

    def _call(self, message: Message) -> _Call:
        if message.flaw:
            raise messages.Unreadable(message.flaw)
        if self.tasks is not None and message.task_name not in self.tasks:
            raise messages.Unreadable("its task was not named")
        task = registry.resolve(message.task_name)
        if task is None:
            raise messages.Unreadable(sources.unknown_task(message.task_name, registry.registered()))
        if known.of(task) is not None:
            return self._of_celerys_form(task, message)
        if message.is_typed:
            raise messages.Unreadable(
                "an argument is no plain JSON (a datetime, a Decimal, ...), and the task is no `shared_task`: let Celery's workers run it, and pass "
                "text from now on"
            )
        args, kwargs = positions.by_name(task, message.args, message.kwargs)
        tenant_id = self.tenants.of_call(task, args or message.args, kwargs, message.headers)
        queue, _ = sources.queue_of(task, message.queue)
        # Celery writes 0, its most urgent, into every message that says nothing.
        priority = sources.priority_of(message.priority) if message.priority else None
        wanted = task.using(run_after=message.eta, expires_at=message.expires, queue_name=queue, priority=priority)
        with tenant_of(tenant_id):
            enqueue.check(wanted, args, kwargs)
        return _Call(message, wanted, args, kwargs, tenant_id)

    def _of_celerys_form(self, task: Task, message: Message) -> _Call:
        """A `shared_task`'s: it has positional arguments, types that JSON has not, and headers."""
        args, kwargs = plain.opened(message.args), plain.opened(message.kwargs)
        tenant_id = self.tenants.of_call(task, args, kwargs, message.headers)
        is_elsewhere = message.queue != (self.broker.app.conf.task_default_queue or "celery")
        said = {
            "task_id": message.celery_id,
            "eta": message.eta,
            "expires": message.expires,
            "queue": message.queue if message.queue and is_elsewhere else None,
            "priority": min(message.priority, 9) if message.priority else None,
            "headers": {name: message.headers[name] for name in message.lost} or None,
            "ignore_result": message.headers.get("ignore_result") or None,
        }
        with tenant_of(tenant_id):
            call = options.of_call(task, said, as_step=False)
            enqueue.check(call.task, plain.packed(args), {**plain.packed(kwargs), HEADERS: call.headers})
        return _Call(message, task, args, kwargs, tenant_id, said)

    def _note_left(self, message: Message, why: str) -> None:
        self.done.reasons[message.task_name or "?", why.splitlines()[0]] += 1
        if len(self.done.left) < _MOST_TOLD:
            self.done.left.append(Left(message.queue, message.task_name, message.celery_id, why))

    # -- what was taken becomes jobs

    def _write(self, holding: str, taken: Sequence[Message]) -> int:
        """Jobs of what is held, in one transaction; how many were put back."""
        back: list[Message] = []
        written: Counter[str] = Counter()
        already = 0
        with transaction.atomic(using=settings().database):
            for message in taken:
                call = self._look(message)
                try:
                    if call is None:
                        back.append(message)
                    elif self._make(call):
                        written[call.task.name] += 1
                        self.done.lost_headers.update(message.lost if call.said is None else ())
                    else:
                        already += 1
                except YoutilityTaskError as error:
                    back.append(message)
                    self._note_left(message, str(error))
        self.done.jobs.update(written)
        self.done.already += already
        failpoints.reach("adopt_written")
        kept = {id(each) for each in back}
        for message in taken:
            if id(message) not in kept:
                self.broker.let_go(holding, message.raw)
        for message in reversed(back):  # the oldest last, for that is taken next
            self._put_back(holding, message)
        return len(back)

    def _make(self, call: _Call) -> bool:
        """Whether there is a new job; the note of its id keeps a second one from being made."""
        with tenant_of(call.tenant_id), transaction.atomic(using=settings().database):
            noted = {"tenant_id": call.tenant_id, "celery_id": call.message.celery_id, "task_name": call.task.name}
            rows = queries.fetch("adopt_call", noted)
            if not rows:
                return False
            if call.said is not None:
                here.send(call.task, call.args, call.kwargs, call.said)
                noted_call = BridgeCall.objects.using(settings().database).get(pk=rows[0][0])
                job_id = noted_call.job_id
            else:
                job_id = int(call.task.enqueue(*call.args, **call.kwargs).id)
            if call.message.retries > 0:
                queries.fetch("used_attempts", {"job_id": job_id, "attempts": call.message.retries})
            BridgeCall.objects.using(settings().database).filter(pk=rows[0][0]).update(job_id=job_id)
        return True

    def _put_back(self, holding: str, message: Message) -> None:
        layout = self.broker.layout
        source, raw = holding.removeprefix(layout.holding("")), message.raw
        back = f"{layout.prefix}{source}"
        if source == layout.unacked:
            raw, back = messages.unwrapped(raw), layout.list_of(self._of_entry(message.raw).queue, message.priority)
        self.broker.put_back(holding, message.raw, back, raw)


def by_reason(done: Adopted) -> Iterator[tuple[str, str, int]]:
    """What stays, told once for each task and reason: task, why, how many."""
    for (task_name, why), number in sorted(done.reasons.items()):
        yield task_name, why, number
