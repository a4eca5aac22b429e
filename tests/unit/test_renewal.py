"""A lease that is renewed in time however much is asked beside it, and what a worker does of its own once it is over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import pytest

from tests.acceptance.app.mutants import Mutant, apply
from youtility_tasks.conf import QueueSettings, settings
from youtility_tasks.finish import Decision, Verdict
from youtility_tasks.status import Outcome, WorkerStatus
from youtility_tasks.workers import lease, worker
from youtility_tasks.workers.children import Job
from youtility_tasks.workers.ended import Ended
from youtility_tasks.workers.lease import Lease
from youtility_tasks.workers.link import LinkDown, Turn
from youtility_tasks.workers.nursery import Matron
from youtility_tasks.workers.worker import Worker

LEASE, WORKER = "youtility_tasks.workers.lease", "youtility_tasks.workers.worker"
Meanwhile = Callable[[str], Awaitable[None]]


class FakeLink:
    """Answers everything, and nothing before `meanwhile` has happened."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.asked: list[str] = []
        self.sent_at = 0.0
        self.claims: list[tuple[Any, ...]] = []
        self.meanwhile: Meanwhile | None = None
        self.hears: Callable[[], None] = lambda: None
        self.opened = 1

    def hear_now(self) -> None:
        self.hears()

    def distrust(self) -> None:
        self.asked.append("distrusted")

    async def ask(self, name: str, /, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(name)
        self.sent_at = time.monotonic()
        if self.meanwhile is not None:
            await self.meanwhile(name)
        return [*self.claims, ([], False, None)] if name in ("pump", "pump_lone") else []


def job(job_id: int) -> Job:
    return Job(job_id, 1, "t", "{}", 1, 0, 1, task=None)


CLAIMED = (None, None, None, 5, "nobody declares it", "{}", 0, 7, 1, 0, False, None)


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[Worker, FakeLink], Awaitable[None]]], None]]:
    """Plays a scene with a worker that holds job 1; its children and its database are ours."""

    def play(scene: Callable[[Worker, FakeLink], Awaitable[None]]) -> None:
        async def run() -> None:
            with mock.patch.object(worker, "Children") as children:
                children.return_value.stuck.return_value = 0
                children.return_value.snapshot.return_value = []
                shape = QueueSettings(processes=1, threads=1)
                made = Worker("email", shape, cast(Matron, None), drain=False, token="", dead=[])
            fake = FakeLink()
            made.link = made.lease._link = made.told._link = cast(Any, fake)
            made.lease.worker_id = 1
            made.holdings.take(job(1))
            async with asyncio.timeout(5):
                await scene(made, fake)

        asyncio.run(run())

    return play


async def renewing(made: Worker) -> None:
    async with made.link.turn.ahead:
        await made.lease._renew(WorkerStatus.RUNNING)


def failed(made: Worker, job_id: int) -> None:
    made.holdings.end(job_id, Ended({"id": job_id}, Decision(Verdict.FAILED, Outcome.FAILED)))


async def a_renewal_goes_ahead_of_all_that_stand_in_line(made: Worker, fake: FakeLink) -> None:
    async def ask(name: str) -> None:
        async with fake.turn:
            await fake.ask(name)

    tasks: list[asyncio.Task[None]] = []

    async def meanwhile(name: str) -> None:
        if name == "first":
            tasks.extend(asyncio.create_task(ask(each)) for each in ("second", "third"))
            await asyncio.sleep(0)
            tasks.append(asyncio.create_task(made.lease.keep(lambda: WorkerStatus.RUNNING)))
            for _ in range(5):
                await asyncio.sleep(0)

    at_once = [asyncio.sleep(0), asyncio.Event().wait()]  # until the first heartbeat, and for ever until the second
    fake.meanwhile = meanwhile
    with mock.patch.object(lease, "asyncio", SimpleNamespace(sleep=lambda _: at_once.pop(0))):
        await ask("first")
        while len(fake.asked) < 4:
            await asyncio.sleep(0)
    for task in tasks:
        task.cancel()

    assert fake.asked == ["first", "renew", "second", "third"]


async def a_renewal_waits_for_one_statement_of_the_pump_and_not_for_three(made: Worker, fake: FakeLink) -> None:
    renewals: list[asyncio.Task[None]] = []

    async def meanwhile(name: str) -> None:
        if name in ("note_progress", "pump"):
            renewals.append(asyncio.create_task(renewing(made)))
            await asyncio.sleep(0)

    fake.meanwhile = meanwhile
    made.told.hear(job(1), [1, None, ""])
    failed(made, 1)
    await made._pump(0)  # its ending is refused, and entered as such
    await asyncio.gather(*renewals)

    assert fake.asked == ["note_progress", "renew", "pump", "renew", "count_event"]


async def a_lease_counts_from_when_its_renewal_was_sent(made: Worker, fake: FakeLink) -> None:
    async def meanwhile(name: str) -> None:
        while time.monotonic() <= fake.sent_at:
            await asyncio.sleep(0)

    fake.meanwhile = meanwhile
    await made.lease._renew(WorkerStatus.RUNNING)

    assert made.lease.renewed_at == fake.sent_at
    made.children.extend_lease.assert_called_once_with(made.lease.renewed_at + settings().lease_s)  # type: ignore[attr-defined]


async def the_next_renewal_is_due_by_when_the_last_was_sent(made: Worker, fake: FakeLink) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 1:
            raise LinkDown

    async def meanwhile(name: str) -> None:
        made.lease.worker_id = None  # the answer takes longer than a heartbeat
        clock.now += settings().heartbeat_interval_s + 1

    clock = SimpleNamespace(now=1000.0)
    fake.meanwhile = meanwhile
    stands_for_time = SimpleNamespace(monotonic=lambda: clock.now)
    with (
        mock.patch.object(lease, "time", stands_for_time),
        mock.patch.object(lease, "asyncio", SimpleNamespace(sleep=sleep)),
        contextlib.suppress(LinkDown),
    ):
        await made.lease.keep(lambda: WorkerStatus.RUNNING)

    assert waits == [settings().heartbeat_interval_s, 0.0]


async def once_it_is_over_all_that_runs_is_stopped_whatever_is_waited_for(made: Worker, fake: FakeLink) -> None:
    made.lease.renewed_at = time.monotonic() - settings().lease_s - 1
    made.holdings.take(job(2))
    failed(made, 2)

    async def meanwhile(name: str) -> None:
        with (
            mock.patch.object(worker.asyncio, "sleep", side_effect=[None, None, LinkDown]),
            contextlib.suppress(LinkDown),
        ):
            await made._clock_loop()
        assert list(made.holdings.jobs) == [2]  # what has come of it may still count
        made.children.forget_all.assert_called_once()  # type: ignore[attr-defined]

    fake.meanwhile = meanwhile
    async with fake.turn:
        await fake.ask("rescue")


async def after_a_standstill_what_children_said_counts(made: Worker, fake: FakeLink) -> None:
    made.lease.renewed_at = time.monotonic() - settings().lease_s - 1
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds == 0:
            failed(made, 1)
        if len(slept) > 2:
            raise LinkDown

    with mock.patch.object(worker.asyncio, "sleep", sleep), contextlib.suppress(LinkDown):
        await made._clock_loop()

    assert list(made.holdings.ended) == [1]


async def what_was_claimed_for_a_lease_that_is_over_does_not_begin(made: Worker, fake: FakeLink) -> None:
    async def meanwhile(name: str) -> None:
        made.lease.renewed_at = time.monotonic() - settings().lease_s - 1

    fake.claims, fake.meanwhile = [CLAIMED], meanwhile
    await made._pump(1)

    assert list(made.holdings.jobs) == [1]  # the next renewal says so, and the other is given back
    made.children.give.assert_not_called()  # type: ignore[attr-defined]


async def what_is_refused_while_others_are_entered_is_entered_next(made: Worker, fake: FakeLink) -> None:
    async def meanwhile(_: str) -> None:
        made.holdings.stale += 1

    made.holdings.stale, fake.meanwhile = 2, meanwhile
    await made.lease.count_stale()

    assert made.holdings.stale == 1


async def an_end_waits_for_what_the_job_said_last(made: Worker, fake: FakeLink) -> None:
    """It ended while the pump stood in line; the pump had asked before what there was to write."""
    async with fake.turn:
        pump = asyncio.create_task(made._pump(1))
        await asyncio.sleep(0)
        made.told.hear(job(1), [1, None, ""])
        failed(made, 1)
    await pump
    assert list(made.holdings.ended) == [1]

    await made._pump(0)

    assert fake.asked[:3] == ["pump_lone", "note_progress", "pump"]
    assert not made.holdings.ended


HANDED = '[1, 5, "nobody declares it", 0, 7, 1, 0, null, null, 1.5, 0.0]\n{}'
"""A letter to worker 1, of job 5."""


async def what_is_handed_over_is_held(made: Worker, fake: FakeLink) -> None:
    made._hear([(made.offer.channel, HANDED)])

    assert list(made.holdings.jobs) == [1, 5]


async def a_letter_on_another_channel_is_none(made: Worker, fake: FakeLink) -> None:
    made._hear([("procrastinate_queue_v1#email", HANDED)])

    assert list(made.holdings.jobs) == [1]


async def what_is_handed_over_when_the_lease_is_over_does_not_begin(made: Worker, fake: FakeLink) -> None:
    made.lease.renewed_at = time.monotonic() - settings().lease_s - 1
    made._hear([(made.offer.channel, HANDED)])

    assert list(made.holdings.jobs) == [1]


async def what_was_handed_to_who_it_was_before_does_not_begin(made: Worker, fake: FakeLink) -> None:
    made.lease.worker_id = 2
    made._hear([(made.offer.channel, HANDED)])

    assert list(made.holdings.jobs) == [1]


async def what_was_handed_over_during_a_standstill_is_held_before_a_renewal_says_what_is(
    made: Worker, fake: FakeLink
) -> None:
    said: list[str] = []

    async def ask(name: str, /, **given: Any) -> list[tuple[Any, ...]]:
        said.append(given.get("held", ""))
        return []

    fake.hears = lambda: made._hear([(made.offer.channel, HANDED)])
    fake.ask = ask  # type: ignore[method-assign]
    await made.lease._renew(WorkerStatus.RUNNING)

    assert said[0] == "[[1, 1], [5, 1]]"


async def what_was_given_back_before_it_was_heard_of_is_stopped(made: Worker, fake: FakeLink) -> None:
    async def ask(name: str, /, **_: Any) -> list[tuple[Any, ...]]:
        made._hear([(made.offer.channel, HANDED)])
        return [("returned", 5)]

    fake.ask = ask  # type: ignore[method-assign]
    await made.lease._renew(WorkerStatus.RUNNING)

    assert list(made.holdings.jobs) == [1]
    made.children.drop.assert_called_once_with(5)  # type: ignore[attr-defined]


async def a_connection_that_brought_no_letter_is_left_before_anything_else_is_asked(
    made: Worker, fake: FakeLink
) -> None:
    async def ask(name: str, /, **_: Any) -> list[tuple[Any, ...]]:
        fake.asked.append(name)
        return [("returned", 5)] if name == "renew" else []

    fake.ask = ask  # type: ignore[method-assign]
    made.holdings.stale = 1
    await made.lease._renew(WorkerStatus.RUNNING)

    assert fake.asked == ["renew", "distrusted", "count_event"]


async def a_worker_that_could_not_withdraw_its_offer_does_so_when_it_can(made: Worker, fake: FakeLink) -> None:
    async def away(name: str) -> None:
        raise LinkDown(f"{name}: away")

    link = cast(Any, fake)
    await made.offer.keep(link, 1, takes=True)
    fake.meanwhile = away
    with pytest.raises(LinkDown):
        await made.offer.keep(link, 1, takes=False)
    fake.meanwhile = None
    await made.offer.keep(link, 1, takes=False)
    await made.offer.keep(link, 1, takes=False)

    assert fake.asked == ["offer", "withdraw", "withdraw"]


async def a_letter_without_a_job_lets_the_worker_rest(made: Worker, fake: FakeLink) -> None:
    link = cast(Any, fake)
    await made.offer.keep(link, 1, takes=True)
    made._hear([(made.offer.channel, "")])
    assert made.wake.is_set()
    await made.offer.keep(link, 1, takes=True)
    made.offer._rests_until = time.monotonic()
    await made.offer.keep(link, 1, takes=True)

    assert fake.asked == ["offer", "withdraw", "offer"]


async def the_heartbeat_goes_round_while_the_database_is_away(made: Worker, fake: FakeLink) -> None:
    """A service manager would else kill workers for what no new worker could cure."""

    async def away(name: str) -> None:
        raise LinkDown(f"{name}: away")

    fake.meanwhile = away
    fake.pause = lambda: asyncio.sleep(0)  # type: ignore[attr-defined]
    wanted = [True, False]
    with mock.patch.object(made.lease._pulse, "beat") as beat:
        assert not await made.lease.begin(lambda: wanted.pop(0))
        assert beat.call_count == 1

        at_once = [asyncio.sleep(0), asyncio.Event().wait()]
        with mock.patch.object(lease, "asyncio", SimpleNamespace(sleep=lambda _: at_once.pop(0))):
            keeping = asyncio.create_task(made.lease.keep(lambda: WorkerStatus.RUNNING))
            while at_once:
                await asyncio.sleep(0)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        assert fake.asked == ["register_worker", "renew"]
        assert beat.call_count == 2


CHECKS = {
    check.__name__: check
    for check in (
        a_renewal_goes_ahead_of_all_that_stand_in_line,
        a_renewal_waits_for_one_statement_of_the_pump_and_not_for_three,
        a_lease_counts_from_when_its_renewal_was_sent,
        the_next_renewal_is_due_by_when_the_last_was_sent,
        once_it_is_over_all_that_runs_is_stopped_whatever_is_waited_for,
        after_a_standstill_what_children_said_counts,
        what_was_claimed_for_a_lease_that_is_over_does_not_begin,
        what_is_refused_while_others_are_entered_is_entered_next,
        an_end_waits_for_what_the_job_said_last,
        what_is_handed_over_is_held,
        a_letter_on_another_channel_is_none,
        what_is_handed_over_when_the_lease_is_over_does_not_begin,
        what_was_handed_to_who_it_was_before_does_not_begin,
        what_was_handed_over_during_a_standstill_is_held_before_a_renewal_says_what_is,
        what_was_given_back_before_it_was_heard_of_is_stopped,
        a_connection_that_brought_no_letter_is_left_before_anything_else_is_asked,
        a_worker_that_could_not_withdraw_its_offer_does_so_when_it_can,
        a_letter_without_a_job_lets_the_worker_rest,
        the_heartbeat_goes_round_while_the_database_is_away,
    )
}


@pytest.mark.parametrize("name", CHECKS)
def test_it_holds(serving: Callable[..., None], name: str) -> None:
    serving(CHECKS[name])


def test_who_gives_up_standing_in_line_is_not_waited_for() -> None:
    async def scene() -> None:
        turn = Turn()

        async def stand() -> None:
            async with turn:
                raise AssertionError("its turn came all the same")

        async with turn.ahead:
            waiting = asyncio.create_task(stand())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), turn:
            pass

    asyncio.run(scene())


@pytest.fixture
def originals() -> Iterator[None]:
    kept = {owner: dict(vars(owner)) for owner in (Lease, Worker)}
    yield
    for owner, names in kept.items():
        for name, value in names.items():
            if getattr(value, "__module__", None) in (LEASE, WORKER):
                setattr(owner, name, value)


@pytest.mark.parametrize(
    ("mutant", "name"),
    [
        (Mutant(LEASE, "Lease.keep", "self._link.turn.ahead", "self._link.turn"), "a_renewal_goes_ahead_of_all_that_stand_in_line"),
        (Mutant(WORKER, "Worker._pump", "async with self.link.turn:  # one", "if True:  # one"), "a_renewal_waits_for_one_statement_of_the_pump_and_not_for_three"),
        (Mutant(LEASE, "Lease._note_renewal", "self._link.sent_at", "time.monotonic()"), "a_lease_counts_from_when_its_renewal_was_sent"),
        (Mutant(LEASE, "Lease.keep", "- time.monotonic()", "- began_at"), "the_next_renewal_is_due_by_when_the_last_was_sent"),
        (Mutant(WORKER, "Worker._clock_loop", "self.lease.look_at_clock()", "pass"), "once_it_is_over_all_that_runs_is_stopped_whatever_is_waited_for"),
        (Mutant(LEASE, "Lease.look_at_clock", "self._holdings.drop_running()", "self._holdings.drop_all() or 1"), "once_it_is_over_all_that_runs_is_stopped_whatever_is_waited_for"),
        (Mutant(WORKER, "Worker._take_handed", " or self.lease.is_over()", ""), "what_is_handed_over_when_the_lease_is_over_does_not_begin"),
        (Mutant(WORKER, "Worker._take_handed", " or handed.worker_id != self.lease.worker_id", ""), "what_was_handed_to_who_it_was_before_does_not_begin"),
        (Mutant(LEASE, "Lease._renew", "self._link.hear_now()", "pass"), "what_was_handed_over_during_a_standstill_is_held_before_a_renewal_says_what_is"),
        (Mutant(LEASE, "Lease._renew", "if job_id in self._holdings.jobs:", "if False:"), "what_was_given_back_before_it_was_heard_of_is_stopped"),
        (Mutant(LEASE, "Lease.look_at_clock", "self._children.forget_all()", "pass"), "once_it_is_over_all_that_runs_is_stopped_whatever_is_waited_for"),
        (Mutant(WORKER, "Worker._clock_loop", "await asyncio.sleep(0)", "pass"), "after_a_standstill_what_children_said_counts"),
        (Mutant(WORKER, "Worker._pump", "if not self.lease.is_over()", "if True"), "what_was_claimed_for_a_lease_that_is_over_does_not_begin"),
        (Mutant(LEASE, "Lease.count_stale", "-= stale", "= 0"), "what_is_refused_while_others_are_entered_is_entered_next"),
        (Mutant(WORKER, "Worker._pump", "but_not=self.told.unwritten()", "but_not=frozenset()"), "an_end_waits_for_what_the_job_said_last"),
        (Mutant(LEASE, "Lease.begin", "self._pulse.beat()", "pass"), "the_heartbeat_goes_round_while_the_database_is_away"),
        (Mutant(LEASE, "Lease.keep", "self._pulse.beat()", "pass"), "the_heartbeat_goes_round_while_the_database_is_away"),
    ],
)  # fmt: skip
def test_without_its_guard_it_does_not(
    originals: None, serving: Callable[..., None], mutant: Mutant, name: str
) -> None:
    apply(mutant)

    with pytest.raises((AssertionError, TimeoutError)):
        serving(CHECKS[name])
