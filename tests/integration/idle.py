"""What tests of handing over share: an idle worker without its process, and somebody whose commit takes long."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from tests.acceptance.crew import until
from tests.integration.desk import Desk, execute, rows
from tests.integration.mutants import definition
from youtility_tasks import Task, queries
from youtility_tasks.workers import offer

HAND_OVER, CLAIM_FOR, WAKE = "youtility_tasks_hand_over_v1", "youtility_tasks_claim_for_v1", "youtility_tasks_wake_v1"
KNOWN = "SELECT set_config('youtility_tasks.commits', '3', false)"
"""In a session that has enqueued before; one that has just begun hands nothing over."""
CHANNEL = "only the server knows"
QUEUE = "maintenance"
SOON_S = 0.5


class Idle:
    """An idle worker, on a connection of its own: its desk, its offer, and what it hears."""

    def __init__(self, desk: Desk, session: psycopg.Connection[Any]) -> None:
        self.desk, self.session = desk, session

    def offers(self, *, slots: int = 1, fresh_s: float = 60, queue: str = QUEUE) -> None:
        self.session.execute(
            "SELECT youtility_tasks_offer_v1(%s, %s, %s, %s, %s)", (self.desk.id, queue, slots, CHANNEL, fresh_s)
        )

    def hears(self) -> list[offer.Handed | None]:
        """What was notified: a job that was handed over, or None for a word that something waits."""
        told = self.session.notifies(timeout=SOON_S)
        return [offer.read(each.payload) if each.channel == CHANNEL else None for each in told if each.payload]

    def is_handed(self, *job_ids: int) -> bool:
        """Whether these, and nothing else, were handed over. Otherwise it must have heard that something waits."""
        heard = self.hears()
        handed = [each.row[3] for each in heard if each is not None]
        held = [
            found
            for (found,) in rows(
                "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %s", self.desk.id
            )
        ]
        assert sorted(handed) == sorted(held)
        assert handed or None in heard
        return bool(job_ids) and sorted(handed) == sorted(job_ids)


@contextlib.contextmanager
def idle_worker() -> Iterator[Idle]:
    with psycopg.connect(queries.conninfo("test worker", part=None), autocommit=True) as session:
        session.execute(f'LISTEN "procrastinate_queue_v1#{QUEUE}"')
        yield Idle(Desk(), session)


@contextlib.contextmanager
def offering() -> Iterator[Idle]:
    """An idle worker with one slot, in a session that has enqueued before; and nothing takes long, however busy the machine is with other things."""
    execute(KNOWN)
    with changed(HAND_OVER, ("'5 ms'", "'1 hour'")), idle_worker() as made:
        made.offers()
        yield made


def put(task: Task, **options: Any) -> int:
    return int(task.using(**options).enqueue().id)


def anew(idle: Idle) -> None:
    """As if nothing had happened yet."""
    execute("DELETE FROM procrastinate_jobs")
    execute("DELETE FROM youtility_tasks_queuecontrol")
    execute("UPDATE youtility_tasks_tenant SET is_active = true")
    idle.hears()


@contextlib.contextmanager
def changed(function: str, *changes: tuple[str, str]) -> Iterator[None]:
    """A function of the database with other words, and as it was afterwards."""
    original = text = definition(function)
    for was, becomes in changes:
        assert was in text, f"{function} has no {was!r}"
        text = text.replace(was, becomes)
    execute(text.replace("%", "%%"))
    try:
        yield
    finally:
        execute(original.replace("%", "%%"))


def must_keep(idle: Idle, check: Callable[[], bool], guard: str, instead: str, *, function: str = CLAIM_FOR) -> None:
    """`check` says that nothing was handed over; and with the guard replaced in the SQL function, that something was."""
    assert not check()
    anew(idle)
    with changed(function, (guard, instead)):
        assert check(), f"nobody notices when {guard!r} is gone"


@contextlib.contextmanager
def last_trigger(body: str) -> Iterator[None]:
    """What else is done as a job is committed, behind all triggers of the house."""
    execute("CREATE FUNCTION zz_last() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + body + "; RETURN NULL; END $$")
    execute(
        "CREATE CONSTRAINT TRIGGER zz_last AFTER INSERT ON procrastinate_jobs DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION zz_last()"
    )
    try:
        yield
    finally:
        execute("DROP FUNCTION zz_last CASCADE")


@contextlib.contextmanager
def handing_over() -> Iterator[int]:
    """Somebody else's commit has handed a job over, and takes as long as the block."""
    ((job_id,),) = rows("SELECT nextval('procrastinate_jobs_id_seq')")
    insert = "INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, noted) VALUES (%s, %s, 'x', '{}', false)"
    holding = f"IF NEW.id = {job_id} THEN PERFORM pg_advisory_xact_lock(42, 42); END IF"
    with (
        last_trigger(holding),
        psycopg.connect(queries.conninfo("test holder", part=None)) as holder,
        psycopg.connect(queries.conninfo("test aside", part=None), autocommit=True) as aside,
        ThreadPoolExecutor(1) as pool,
    ):
        aside.execute(KNOWN)
        holder.execute("SELECT pg_advisory_xact_lock(42, 42)")
        committing = pool.submit(aside.execute, insert, [job_id, QUEUE])
        try:
            until(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"), why="it commits")
            yield job_id
        finally:
            holder.rollback()
            committing.result()


def withdraw(idle: Idle) -> None:
    idle.session.execute(queries.statement("withdraw"), {"worker_id": idle.desk.id})
