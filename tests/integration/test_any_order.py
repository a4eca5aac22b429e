"""Any statements in any order: the queue's tables are after each what a pure model says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.integration.desk import Claimed, Desk, rescue, rows
from tests.verify.planting import BUGS, Bug, plant
from youtility_tasks import queries

BACK = ("retry", "crashed", "released")
MAX_RESCUES = 3
LEASE_S = 3_600
"""All plays share one transaction, whose beginning is the first heartbeat of whoever registers in it."""
FUTURE = float("inf")
YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Job:
    """A row of the queue."""

    id: int
    priority: int
    lock: str | None
    queueing_lock: str | None
    due: float | None
    """Its place among the scheduled ones; None: it was never scheduled."""
    status: str = "todo"
    attempts: int = 0
    crashes: int = 0
    rescues: int = 0
    claim: int = 0
    worker: int | None = None
    abort: bool = False

    @property
    def place(self) -> tuple[int, int]:
        return (-self.priority, self.id)


@dataclass
class Model:
    """What the statements promise, without a database."""

    jobs: dict[int, Job] = field(default_factory=dict)
    ended: list[tuple[int, str, bool]] = field(default_factory=list)
    """(job, outcome, whether it is final), in the order in which it happened."""
    silent: dict[int, bool] = field(default_factory=dict)
    """The registered workers."""
    clock: float = 10_000.0

    def now(self) -> float:
        self.clock += 1
        return self.clock

    def waiting(self) -> list[Job]:
        return sorted((job for job in self.jobs.values() if job.status == "todo"), key=lambda job: job.place)

    def stands_for(self, queueing_lock: str | None) -> bool:
        return queueing_lock is not None and any(job.queueing_lock == queueing_lock for job in self.waiting())

    def claim(self, worker: int, n: int) -> list[Job]:
        if worker not in self.silent:
            return []
        held = {job.lock for job in self.jobs.values() if job.status == "doing"}
        heads: dict[str, Job] = {}
        for job in self.waiting():
            if job.lock is not None and job.lock not in held:
                heads.setdefault(job.lock, job)
        free = [job for job in self.waiting() if job.lock is None]
        ready = [job for job in free if job.due is None][:n]
        due = sorted((job for job in free if job.due not in (None, FUTURE)), key=lambda job: job.due or 0)[:n]
        heads_due = [job for job in heads.values() if job.due != FUTURE]
        taken = sorted([*ready, *due, *heads_due], key=lambda job: job.place)[:n]
        for job in taken:
            job.status, job.worker, job.claim = "doing", worker, job.claim + 1
        return taken

    def finish(self, worker: int, endings: list[tuple[int, int, str, int]]) -> set[int]:
        """Endings (job, claim, verdict, delay_s); the jobs that were really this worker's."""
        own = []
        for job_id, claim, verdict, delay_s in sorted(endings):
            job = self.jobs.get(job_id)
            if job is not None and (job.status, job.worker, job.claim) == ("doing", worker, claim):
                own.append((job, "aborted" if job.abort and verdict in BACK else verdict, delay_s))
        self._drop_queueing_locks([job for job, verdict, _ in own if verdict in BACK])
        for job, verdict, delay_s in own:
            self._end(job, verdict, delay_s)
        return {job.id for job, _, _ in own}

    def _drop_queueing_locks(self, going_back: list[Job]) -> None:
        """One may wait under a queueing lock: of those that go back the first, if none waits."""
        taken = {job.queueing_lock for job in self.waiting()}
        for job in sorted(going_back, key=lambda job: job.id):
            if job.queueing_lock in taken:
                job.queueing_lock = None
            taken.add(job.queueing_lock)

    def _end(self, job: Job, verdict: str, delay_s: int) -> None:
        job.worker, job.abort = None, False
        if verdict != "released":
            self.ended.append((job.id, verdict, verdict not in BACK))
        if verdict in ("succeeded", "aborted"):
            del self.jobs[job.id]
            return
        job.status = "failed" if verdict == "failed" else "todo"
        job.attempts += verdict in ("retry", "failed")
        job.crashes += verdict == "crashed"
        if delay_s:
            job.due = FUTURE
        elif verdict == "retry":
            job.due = self.now()

    def give_back(self, worker: int, but: set[int] = frozenset()) -> set[int]:  # type: ignore[assignment]
        held = [job for job in self.jobs.values() if (job.status, job.worker) == ("doing", worker)]
        return self.finish(worker, [(job.id, job.claim, "released", 0) for job in held if job.id not in but])

    def rescue(self) -> dict[int, str]:
        gone = {worker for worker, is_silent in self.silent.items() if is_silent}
        orphans = [job for job in self.jobs.values() if job.status == "doing" and job.worker in gone]
        verdicts = {
            job.id: "aborted" if job.abort else "failed" if job.rescues + 1 >= MAX_RESCUES else "rescued"
            for job in orphans
        }
        self._drop_queueing_locks([job for job in orphans if verdicts[job.id] == "rescued"])
        for job in orphans:
            verdict = verdicts[job.id]
            self.ended.append((job.id, "aborted" if verdict == "aborted" else "lost", verdict != "rescued"))
            job.worker, job.abort, job.rescues = None, False, job.rescues + 1
            job.status = "failed" if verdict == "failed" else "todo"
            if verdict == "aborted":
                del self.jobs[job.id]
        for worker in gone:
            del self.silent[worker]
        return verdicts

    def reopen(self, job: Job) -> None:
        if self.stands_for(job.queueing_lock):
            job.queueing_lock = None
        job.status, job.attempts, job.crashes, job.rescues, job.due = "todo", 0, 0, 0, self.now()
        job.claim += 1


class AnyOrder(RuleBasedStateMachine):
    """Three workers at most, some of them rescued long ago, and every claim that was ever made."""

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.model = Model()
        self.desks: list[Desk] = []
        self.claims: list[tuple[Desk, Claimed]] = []

    @initialize()
    def begin(self) -> None:
        """Not in the constructor, after whose failure there is no `teardown`."""
        self.register()
        for lock, queueing_lock in ((None, None), ("a", None), ("a", "q"), (None, "q"), (None, None)):
            self.enqueue(priority=2, lock=lock, queueing_lock=queueing_lock, when="now", rank=0)
        self.claim(number=0, n=3)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    def desk(self, number: int) -> Desk:
        return self.desks[number % len(self.desks)]

    @precondition(lambda self: len(self.desks) < 3)
    @rule()
    def register(self) -> None:
        self.desks.append(Desk())
        self.model.silent[self.desks[-1].id] = False

    @rule(
        priority=st.integers(1, 3),
        lock=st.sampled_from([None, None, "a", "b"]),
        queueing_lock=st.sampled_from([None, None, "q"]),
        when=st.sampled_from(["now", "past", "future"]),
        rank=st.integers(0, 99),
    )
    def enqueue(self, priority: int, lock: str | None, queueing_lock: str | None, when: str, rank: int) -> None:
        place = rank * 60 + len(self.model.ended) / 100 + self.model.now() / 1_000_000
        due = {"now": None, "past": place, "future": FUTURE}[when]
        scheduled = None if due is None else YEAR_2000 + timedelta(seconds=min(due, 10**10))
        taken = self.model.stands_for(queueing_lock)
        ((_, job_id, _, is_written, _),) = queries.fetch("enqueue_jobs", {
            "queue_name": ["maintenance"], "task_name": ["t"], "priority": [priority], "lock": [lock],
            "queueing_lock": [queueing_lock], "args": ["{}"], "scheduled_at": [scheduled], "unique_key": [None],
            "tenant_id": [0], "noted": False,
        })  # fmt: skip

        assert is_written is not taken
        if is_written:
            self.model.jobs[job_id] = Job(job_id, priority, lock, queueing_lock, due)

    @rule(number=st.integers(0, 2), n=st.integers(1, 4))
    def claim(self, number: int, n: int) -> None:
        desk = self.desk(number)

        claimed = desk.claim(n)

        taken = self.model.claim(desk.id, n)
        seen = [(job.id, job.attempts, job.claim_number, job.crash_count, job.has_lock) for job in claimed]
        assert seen == [(job.id, job.attempts, job.claim, job.crashes, job.lock is not None) for job in taken]
        self.claims += [(desk, job) for job in claimed]

    @precondition(lambda self: self.claims)
    @rule(
        chosen=st.lists(
            st.tuples(
                st.sampled_from([0, 0, 1, 1, 2, 2, 3, 5, 8, 13]),
                st.sampled_from(["succeeded", "failed", "aborted", *BACK, *BACK]),
                st.sampled_from([0, 0, 600]),
            ),
            min_size=1,
            max_size=3,
        )
    )
    def finish(self, chosen: list[tuple[int, str, int]]) -> None:
        """By the worker of the first, whatever of it is stale and whosever the others are."""
        desk = self.claims[-1 - chosen[0][0] % len(self.claims)][0]
        endings: dict[int, tuple[Claimed, str, dict[str, Any]]] = {}
        for back, verdict, delay_s in chosen:
            job = self.claims[-1 - back % len(self.claims)][1]
            endings[job.id] = (job, verdict, {"delay_s": delay_s if verdict in BACK else 0})

        accepted = desk.finish_all(list(endings.values()))

        told = [(job.id, job.claim_number, verdict, more["delay_s"]) for job, verdict, more in endings.values()]
        assert accepted == self.model.finish(desk.id, told)

    @rule(number=st.integers(0, 2), forgotten=st.integers(0, 4))
    def renew(self, number: int, forgotten: int) -> None:
        """With the newest claim of each job that it had, but for some whose reply it never saw."""
        desk = self.desk(number)
        newest = {job.id: job for owner, job in self.claims if owner is desk}
        held = [job for place, job in enumerate(newest.values(), start=1) if place % 4 != forgotten]

        told = desk.renew(*held)

        if desk.id not in self.model.silent:
            assert told == {("unregistered", None)}
            return
        self.model.silent[desk.id] = False
        returned = self.model.give_back(desk.id, but={job.id for job in held})
        expected = {("returned", job_id) for job_id in returned}
        for job in held:
            mine = self.model.jobs.get(job.id)
            if mine is None or (mine.status, mine.worker, mine.claim) != ("doing", desk.id, job.claim_number):
                expected.add(("lost", job.id))
            elif mine.abort:
                expected.add(("abort", job.id))
        assert told == expected

    @rule(number=st.integers(0, 2))
    def fall_silent(self, number: int) -> None:
        desk = self.desk(number)
        desk.fall_silent(2 * LEASE_S)
        if desk.id in self.model.silent:
            self.model.silent[desk.id] = True

    @rule()
    def rescue(self) -> None:
        assert rescue(lease_s=LEASE_S, max_rescues=MAX_RESCUES) == self.model.rescue()

    @rule(number=st.integers(0, 2))
    def leave(self, number: int) -> None:
        desk = self.desk(number)
        assert desk.leave() == len(self.model.give_back(desk.id))
        self.model.silent.pop(desk.id, None)
        if len(self.desks) > 1:
            self.desks.remove(desk)

    @precondition(lambda self: self.model.jobs)
    @rule(number=st.integers(0, 30), act=st.sampled_from(["cancel", "abort", "retry", "discard"]))
    def act(self, number: int, act: str) -> None:
        job = list(self.model.jobs.values())[number % len(self.model.jobs)]
        statement, status = {
            "cancel": ("cancel_jobs", "todo"),
            "abort": ("abort_jobs", "doing"),
            "retry": ("retry_dead_letters", "failed"),
            "discard": ("cancel_jobs", "failed"),
        }[act]

        changed = queries.fetch(
            statement, {"job_ids": [job.id], "tenant_id": None, "from_status": status, "reason": "why"}
        )

        assert [row[0] for row in changed] == ([job.id] if job.status == status else [])
        if job.status != status:
            return
        if act == "abort":
            job.abort = True
        elif act == "retry":
            self.model.reopen(job)
        else:
            self.model.ended.append((job.id, "cancelled", True))
            del self.model.jobs[job.id]

    @invariant()
    def the_tables_are_what_the_model_says(self) -> None:
        seen = rows(
            "SELECT id, status::text, attempts, crash_count, rescue_count, claim_number, worker_id, abort_requested,"
            " queueing_lock FROM procrastinate_jobs ORDER BY id"
        )
        assert seen == [
            (j.id, j.status, j.attempts, j.crashes, j.rescues, j.claim, j.worker, j.abort, j.queueing_lock)
            for _, j in sorted(self.model.jobs.items())
        ]
        ended = rows("SELECT job_id, outcome, is_final FROM youtility_tasks_history ORDER BY job_id, outcome, is_final")
        assert ended == sorted(self.model.ended)


QUICK_DICE = {"finish asks for the worker, and not for the claim": 1, "rescue overlooks jobs with a lock": 7}
"""Dice with which a bug is found in few examples, of nine that were tried; 4 for those that are not named. Others find it, too."""


def play(*, examples: int, dice: int | None = None) -> None:
    """Without dice of its own it throws others each time, and looks for a short counterexample."""
    few = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if dice is None else [])],
        suppress_health_check=list(HealthCheck),
    )
    machine = AnyOrder if dice is None else seed(dice)(type("Loaded", (AnyOrder,), {}))
    run_state_machine_as_test(machine, settings=few)


@pytest.mark.django_db
def test_any_statements_in_any_order_do_what_the_model_says() -> None:
    play(examples=60)


@pytest.mark.django_db
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_in_a_statement_is_found(bug: Bug) -> None:
    connection.ensure_connection()
    plant(connection.connection, bug)

    with pytest.raises((AssertionError, DatabaseError, ExceptionGroup)):
        play(examples=1_000, dice=QUICK_DICE.get(bug.name, 4))
