"""The pump of one worker: claim, hand to a child, finish; runs no user code.

One loop sends "these have ended, give me up to n more" as one round trip and one commit. Batches form by themselves
while a round trip is under way; an idle worker never waits for a batch to fill.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import signal
import time
from typing import Any

from youtility_tasks import failpoints, queries, registry, tracing
from youtility_tasks.conf import QueueSettings, settings
from youtility_tasks.finish import Decision, Happened, Verdict, decide
from youtility_tasks.status import Order, Outcome, WorkerStatus
from youtility_tasks.upkeep import duties

from . import ended, offer, traced
from .appetite import Appetite
from .beats import Beats
from .children import Children, Job
from .ended import Ended
from .exchange import Told as Heard
from .holdings import Holdings
from .lease import Lease
from .link import Link, LinkDown
from .nursery import Matron
from .offer import Offer
from .operating import CHANNEL as OPERATIONS
from .operating import Operating
from .pulse import Pulse
from .ticker import CHANNEL, Ticker
from .told import Told

STOP_NOW = signal.SIGUSR1
"""From the supervisor: no more patience. Not a second SIGTERM, because a service manager sends its own to everyone."""

UNKNOWN_TASK_DELAY_S = 30.0
"""How long a job waits whose task this worker does not know: another version of the code may know it."""

_ANY_NUMBER = 1 << 20
"""All of them. Large results may be too much for one statement's deadline, or for the server (256 MiB of JSON)."""
_LOOK_AT_CLOCKS_S, _LOOK_AT_CLOCKS_IDLE_S = 0.1, 0.5
_LONGEST_DEATH_S = 3.0
"""After the grace period a worker waits no longer than this for killed children that the kernel does not let go of (a dead
file server): they run no more code of ours, and what they held goes back."""
_LOOK_ONCE_MORE_S = (0.06, 1.0)
"""After a notification: transactions beside the one that notified left it at that, and some take longer to commit."""
_TURNS_FOR_CLAIM = 4
"""Turns of the loop after a notification in which an idle worker's claim gets on its way; a pause would add up over thousands."""
_LOOK_AGAIN_S = 0.05
"""After a claim that left a due job behind: it came due a moment later, or waits for a lock."""
_LOOK_FOR_LOCK_S = 0.25
"""While a due job waits for a lock that another worker holds: its end wakes nobody in this queue."""
_OTHERS_START_S = 2.0
"""A draining worker waits so long for the worker of another queue, begun with it, to register."""

_CONTROLS_CHANGED = '"controls_changed"'

logger = logging.getLogger(__name__)


class Worker:
    """One process that serves one queue."""

    def __init__(
        self,
        queue_name: str,
        shape: QueueSettings,
        matron: Matron,
        *,
        drain: bool,
        token: str,
        dead: list[str],
        pulse: Pulse | None = None,
    ) -> None:
        self.queue_name, self.shape, self.drain = queue_name, shape, drain
        self.offer = Offer(queue_name, shape.slots)
        self.link = Link(
            queries.conninfo(f"youtility worker {queue_name}"),
            (f"procrastinate_queue_v1#{queue_name}", CHANNEL, OPERATIONS),
            self._hear,
            self._open_anew,
        )
        self.holdings = Holdings()
        self.told = Told(self.link, self.holdings, lambda: self.lease.worker_id)
        self.children = Children(matron, shape, self.note_ending, self.told.hear)
        self.appetite = Appetite(shape)
        self.lease = Lease(
            queue_name,
            shape.slots,
            self.link,
            self.children,
            self.holdings,
            token=token,
            dead=dead,
            pulse=pulse,
            look_again=self._look_again,
            obey=self._obey,
        )
        self.beats = Beats(self.link, self.children, matron, lambda: self.lease.worker_id)
        self.most = _ANY_NUMBER
        """Endings that one round trip carries, and jobs that it asks for: half as many after one that failed."""
        self.stop_at: float | None = None
        """Monotonic seconds at which what still runs is handed back; None while no stop was asked for."""
        self.is_quiet, self.is_retired = False, False
        """Told to claim nothing more; told to leave, and to be followed by nobody."""
        self.has_left = False
        """Its children are gone, and it begins nothing more."""
        self.wake = asyncio.Event()
        self.may_have_work = True
        self.is_poll = False
        """Whether the next claim is made only because time has passed; such a one most often finds nothing."""
        self.polled_due: tuple[float | None, bool] | None = None
        """What `_next_due` would say, of the claim just made; None if it was not asked or has claimed."""
        self.later_looks: list[asyncio.TimerHandle] = []
        self.is_about_to_follow_up = False
        self.may_be_aborted = asyncio.Event()
        """Something was notified while jobs are held: perhaps that one of them shall end."""
        self.looked_for_free = False
        """While draining: the last claim was made for a job whose lock had just come free."""
        self.controlled: asyncio.TimerHandle | None = None
        """The next look, while a control keeps jobs back; an ending of ours may make room before."""
        self.began_at = time.monotonic()
        self.is_traced = tracing.is_on()
        self.ticker = Ticker(self.link, lambda: self.stop_at is None and not self.drain and settings().run_schedules)
        self.operating = Operating(self.link, lambda: self.stop_at is None)

    async def run(self) -> None:
        """Serve until told to stop or, draining, until nothing is left that is due."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(
            signal.SIGINT, lambda: None
        )  # Ctrl-C reaches everyone, and is the supervisor's business
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(STOP_NOW, self.stop_now)
        if not await self.lease.begin(lambda: self.stop_at is None):
            return
        logger.info(
            "worker started worker=%s queue=%s slots=%s", self.lease.worker_id, self.queue_name, self.shape.slots
        )
        duties = (
            self._pump_loop,
            self._lease_loop,
            self._rescue_loop,
            self._abort_loop,
            self._clock_loop,
            self._nursery_loop,
            self._upkeep_loop,
            self.beats.keep,
            self.told.keep,
            self.ticker.keep,
            self.operating.keep,
        )
        running = [asyncio.create_task(duty()) for duty in duties]
        has_ended_well = False
        try:
            finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for duty in finished:
                duty.result()  # only the pump ends well; a duty that fails ends this worker, and its supervisor starts another
            has_ended_well = True
        finally:
            for duty in running:
                duty.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self.has_left = True
            self.children.close()
            # Else what ran is rescued by its successor, and counted: one of these jobs may end every worker.
            if has_ended_well:
                with contextlib.suppress(LinkDown):
                    await self.lease.end()
            self.link.close()
            logger.info("worker stopped worker=%s queue=%s", self.lease.worker_id, self.queue_name)

    def stop(self) -> None:
        """Claim no more, let what runs end within the grace period, then leave. Asking again changes nothing."""
        if self.stop_at is None:
            self.stop_at = time.monotonic() + settings().shutdown_grace_s
        self.wake.set()

    def stop_now(self) -> None:
        """Hand back what runs, and leave."""
        self.stop_at = time.monotonic()
        self.wake.set()

    def _obey(self, order: Order) -> None:
        """What the database says it was told, with each renewal."""
        if order is Order.DRAIN and not self.is_retired:
            logger.warning("worker was told to leave worker=%s queue=%s", self.lease.worker_id, self.queue_name)
            self.is_retired = True
            self.stop()
        if (order is Order.QUIET) is self.is_quiet or self.is_retired:
            return
        self.is_quiet = order is Order.QUIET
        now = "claims nothing more, as it was told" if self.is_quiet else "claims again"
        logger.warning("worker %s worker=%s queue=%s", now, self.lease.worker_id, self.queue_name)
        if self.is_quiet:
            self.children.recall()  # claimed, and not begun
        self._look_again()

    def _status(self) -> WorkerStatus:
        if self.stop_at is not None:
            return WorkerStatus.DRAINING
        return WorkerStatus.QUIET if self.is_quiet else WorkerStatus.RUNNING

    def note_ending(self, ending: dict[str, Any]) -> None:
        """Decide what an ending means for its job, and let the next pump carry it."""
        held = self.holdings.jobs.get(ending["id"])
        if held is None or held.task is None:
            return
        decision = decide(
            Happened(ending["happened"]),
            held.task,
            attempt=held.attempt,
            crash_count=held.crash_count,
            asked_s=ending.get("asked_s", 0),
        )
        if self.is_traced:
            traced.note(held, self.queue_name, ending, decision)
        if not held.is_async and "run_ms" in ending:
            self.appetite.ended(ending["run_ms"])
        self.holdings.end(ending["id"], Ended(ending, decision))
        self.wake.set()

    # -- the pump

    async def _pump_loop(self) -> None:
        while True:
            self.wake.clear()
            wanted = self._wanted()
            if wanted or self.holdings.ended:
                try:
                    await self._pump(min(wanted, self.most))
                    self.most = min(2 * self.most, _ANY_NUMBER)
                except LinkDown as error:
                    if self.most == 1:
                        self.holdings.let_others_go_first()
                    self.most = max(1, min(self.most, max(wanted, len(self.holdings.ended))) // 2)
                    logger.warning("queue out of reach worker=%s error=%s", self.lease.worker_id, error)
                    self.may_have_work = True
                    await self.link.pause()
                continue
            if not await self._offer():
                continue
            if self.stop_at is not None and (
                not self.holdings.jobs or time.monotonic() > self.stop_at + _LONGEST_DEATH_S
            ):
                return
            due_s, waits_for_lock = self.polled_due or (await self._next_due() if self._room() else (None, False))
            self.polled_due = None
            is_late = waits_for_lock or (due_s is not None and due_s <= 0)
            if self.drain and not (self.holdings.jobs or self.may_have_work or is_late or self.controlled is not None):
                if not await self._waits_elsewhere():
                    return
                if self.may_have_work:
                    continue
                waits_for_lock = True
            idle_s = settings().poll_interval_s
            if waits_for_lock:
                idle_s = min(idle_s, _LOOK_FOR_LOCK_S)
            if due_s is not None:
                idle_s = min(idle_s, max(due_s, 0.001) if due_s > 0 else _LOOK_AGAIN_S)
            try:
                async with asyncio.timeout(idle_s):
                    await self.wake.wait()
            except TimeoutError:
                self.may_have_work = self.is_poll = True

    async def _offer(self) -> bool:
        """Say whether this worker, which has nothing to claim and nothing to report, may be handed jobs; False if nobody can be told."""
        takes = self.stop_at is None and not self.is_quiet and not self.drain
        if takes and not self._room():
            return True  # as it is: of a worker with full hands the database sees that
        try:
            await self.offer.keep(self.link, self.lease.worker_id, takes=takes)
        except LinkDown as error:
            logger.warning("queue out of reach worker=%s error=%s", self.lease.worker_id, error)
            self._look_again()
            await self.link.pause()
            return self.stop_at is not None  # who leaves waits for no database
        return True

    def _wanted(self) -> int:
        """How many jobs to ask for now."""
        return self._room() if self.may_have_work else 0

    def _room(self) -> int:
        """How many more jobs it may hold; none once it was told to stop or to be quiet, or while it cannot renew its lease."""
        if self.stop_at is not None or self.is_quiet or self.lease.worker_id is None or self.lease.is_over():
            return 0
        sync_held, async_held = self.holdings.running()
        return self.appetite.wanted(sync_held=sync_held, async_held=async_held, stuck_children=self.children.stuck())

    async def _pump(self, wanted: int) -> None:
        await self.told.write_of_ended()
        async with self.link.turn:
            sent, resent = self.holdings.send(self.most, but_not=self.told.unwritten())
            if not sent and not wanted:
                return
            is_poll, self.is_poll, self.polled_due = self.is_poll and wanted > 0 and not sent, False, None
            if wanted:
                self.may_have_work = False  # set again by whatever happens while the round trip is under way
            if sent:
                failpoints.reach("before_finish")
            *claimed, answer = await self.link.ask(
                "poll" if is_poll else "pump" if sent else "pump_lone",
                worker_id=self.lease.worker_id,
                host=self.lease.host,
                ended=json.dumps([each.as_row() for each in sent.values()]) if sent else None,
                queue_name=self.queue_name,
                n=wanted,
            )
            if sent:
                failpoints.reach("after_finish_sent")
            if claimed:
                self.looked_for_free = False
                failpoints.reach("after_claim")
            if is_poll:
                self.polled_due = None if claimed else (answer[-2], answer[-1])
                claimed = [row[:-2] for row in claimed]
            self._confirm(sent, set(answer[0]), resent)
            traces = await traced.ask(self.link, claimed) if self.is_traced and claimed else {}
            if not self.lease.is_over():  # if it is, the next renewal gives them back, and nothing begins here
                self._take(claimed, traces)
            _, look_again, look_after_s, *_ = answer
            self.may_have_work |= bool(look_again)
            if wanted:
                self._look_when_controls_allow(look_after_s)
        if self.holdings.stale:
            async with self.link.turn:  # one of its own: a renewal may come first
                await self.lease.count_stale()

    def _look_when_controls_allow(self, look_after_s: float | None) -> None:
        """`look_after_s`: until a job may run that a limit, a rate or a pause keeps back; None if none does."""
        if self.controlled is not None:
            self.controlled.cancel()
        self.controlled = None
        if look_after_s is not None:
            self.controlled = asyncio.get_running_loop().call_later(look_after_s + 0.001, self._look_again)

    def _confirm(self, sent: dict[int, Ended], accepted: set[int], resent: set[int]) -> None:
        """Let go of what the database has recorded, and of what it refused because the job was no longer ours."""
        recorded = []
        for answered in self.holdings.confirm(sent, accepted, resent):
            job, decision = answered.job, answered.ended.decision
            if answered.is_accepted:
                recorded.append((answered.ended, job))
            if (
                job.has_lock
                or self.controlled is not None
                or (decision.verdict is not Verdict.SUCCEEDED and decision.delay_s == 0)
            ):
                self.may_have_work = True
            elif decision.delay_s:
                asyncio.get_running_loop().call_later(decision.delay_s + 0.002, self._look_again)
        ended.log(recorded)

    def _look_again(self) -> None:
        self.may_have_work = True
        self.wake.set()

    def _take(self, rows: list[tuple[Any, ...]], traces: traced.Traces) -> None:
        """Hand claimed jobs to children; one whose task this code does not know goes back for another worker."""
        known = []
        for (
            _,
            _,
            _,
            job_id,
            task_name,
            args,
            attempts,
            tenant_id,
            claim_number,
            crash_count,
            has_lock,
            expires_in_s,
        ) in rows:
            if job_id in self.holdings.jobs:
                self.lease.lose(job_id)  # while it ran here somebody put it back by hand, and it is ours once more
            task = registry.resolve(task_name)
            job = Job(
                job_id, claim_number, task_name, args, attempts + 1, tenant_id, self.lease.worker_id or 0,
                task, crash_count, has_lock, is_async=task is not None and task.is_async,
                begin_by=None if expires_in_s is None else time.monotonic() + expires_in_s,
            )  # fmt: skip
            if self.is_traced:
                job.trace, job.taken_at_ns = traces.get(job_id), time.time_ns()
            self.holdings.take(job)
            if task is not None:
                self.appetite.claimed(job.is_async)
                known.append(job)
                continue
            logger.warning("job put back, no such task here id=%s task=%s", job_id, task_name)
            ending = {"id": job_id, "claim_number": claim_number}
            self.holdings.end(job_id, Ended(ending, Decision(Verdict.RELEASED, Outcome.LOST, UNKNOWN_TASK_DELAY_S)))
            self.wake.set()
        self.children.give(known)

    async def _next_due(self) -> tuple[float | None, bool]:
        """Seconds until the queue's next future job, None if there is none; and whether a due one waits for another's lock."""
        try:
            async with self.link.turn:
                rows = await self.link.ask("next_due", queue_name=self.queue_name, worker_id=self.lease.worker_id)
        except LinkDown:
            await self.link.pause()
            self._look_again()  # nobody knows: a draining worker stays
            return None, False
        due_s: float | None
        due_s, waits_for_lock = rows[0]
        return due_s, waits_for_lock

    async def _waits_elsewhere(self) -> bool:
        """Whether a due job of this queue waits for its lock, behind one of another queue that is being served or runs.

        One whose lock has come free since the last claim is looked for once more; when that claim does not get it
        either, something else keeps it (a pause, a limit, a tenant that left).
        """
        try:
            async with self.link.turn:
                rows = await self.link.ask(
                    "waits_elsewhere",
                    queue_name=self.queue_name,
                    worker_id=self.lease.worker_id,
                    lease_s=settings().lease_s,
                )
        except LinkDown:
            await self.link.pause()
            return True
        is_behind, is_served, is_running, is_free = rows[0]
        if is_free and not self.looked_for_free:
            self.looked_for_free = True
            self._look_again()
            return True
        self.looked_for_free = False
        return bool(is_served or is_running or (is_behind and time.monotonic() < self.began_at + _OTHERS_START_S))

    # -- beside the pump

    async def _lease_loop(self) -> None:
        await self.lease.keep(self._status)

    async def _rescue_loop(self) -> None:
        """Rescue is not a job: every worker does it, and silent workers are taken under SKIP LOCKED."""
        while True:
            await asyncio.sleep(settings().rescue_interval_s)
            try:
                async with self.link.turn:
                    failpoints.reach("in_rescue")
                    rows = await self.link.ask("rescue", lease_s=settings().lease_s, max_rescues=settings().max_rescues)
                self.lease.tell_rescued(rows)
            except LinkDown as error:
                logger.warning("silent workers not looked for worker=%s error=%s", self.lease.worker_id, error)

    def _hear(self, told: Heard) -> None:
        """Take note of what was notified, and get an idle worker's claim on its way before anything else is done about it."""
        is_ours = False
        for channel, payload in told:
            if channel in ("", CHANNEL):
                self.ticker.wake.set()
            if channel in ("", OPERATIONS):
                self.operating.wake.set()
            if channel in (CHANNEL, OPERATIONS):
                continue
            if channel == self.offer.channel:
                self._take_handed(payload)
                continue
            is_ours = True
            if _CONTROLS_CHANGED in payload:
                self.children.recall()  # claimed under the old limits, and not begun
        if not is_ours:
            return
        self._look_again()
        if not self.is_about_to_follow_up:
            self.is_about_to_follow_up = True
            self._follow_up(_TURNS_FOR_CLAIM)

    def _take_handed(self, letter: str) -> None:
        """Begin a job that was handed over: nobody else will, while this worker's lease lasts. Without one: it takes long to hand jobs over."""
        if not letter:
            logger.info(
                "handing jobs over takes long, it claims them worker=%s queue=%s", self.lease.worker_id, self.queue_name
            )
            self.offer.rest()
            self.wake.set()
            return
        handed = offer.read(letter)
        if self.has_left or handed.worker_id != self.lease.worker_id or self.lease.is_over():
            return  # it goes back as this worker leaves, or with its next renewal, or somebody has rescued it
        failpoints.reach("after_claim")
        self._take([handed.row], {handed.row[3]: handed.trace})

    def _open_anew(self) -> None:
        """Somebody's statement has failed, or the connection by itself: let those ask who wait longer with every failure."""
        self._look_again()
        self.ticker.wake.set()

    def _follow_up(self, turns: int) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            loop.call_soon(self._follow_up, turns - 1)
            return
        self.is_about_to_follow_up = False
        self.children.rouse()
        for look in self.later_looks:
            look.cancel()
        self.later_looks = [loop.call_later(delay_s, self._look_again) for delay_s in _LOOK_ONCE_MORE_S]
        if self.holdings.jobs:
            self.may_be_aborted.set()

    async def _abort_loop(self) -> None:
        while True:
            await self.may_be_aborted.wait()
            self.may_be_aborted.clear()
            with contextlib.suppress(LinkDown):
                async with self.link.turn:
                    rows = await self.link.ask("aborts_requested", job_ids=list(self.holdings.jobs))
                for (job_id,) in rows:
                    self.children.abort(job_id)

    async def _clock_loop(self) -> None:
        """Hard limits of jobs, the end of the lease, and of the grace period after a stop."""
        while True:
            await asyncio.sleep(_LOOK_AT_CLOCKS_S if self.holdings.jobs else _LOOK_AT_CLOCKS_IDLE_S)
            await asyncio.sleep(0)  # after a standstill this is due before what children said meanwhile is read
            self.lease.look_at_clock()
            self.children.look_at_clocks()
            if self.stop_at is not None and time.monotonic() >= self.stop_at:
                self.children.kill_all()

    async def _upkeep_loop(self) -> None:
        """Housekeeping, in a thread and on a connection of its own; its failure is logged there and ends nothing."""
        while True:
            await asyncio.sleep(random.uniform(0.5, 1) * settings().upkeep_interval_s)  # noqa: S311 - only spreads workers
            await duties.run_due_apart()

    async def _nursery_loop(self) -> None:
        await self.children.gone.wait()
        raise RuntimeError("no child can be born any more")
