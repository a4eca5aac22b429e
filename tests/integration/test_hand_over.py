"""A job that comes to an idle queue is handed to an idle worker as its transaction commits; where anything speaks against it, it waits to be claimed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from tests.acceptance.crew import until
from tests.integration.desk import Desk, execute, job, rescue, rows
from tests.integration.mutants import definition
from tests.integration.test_looks import locked
from youtility_tasks import Task, enqueue, queries, tenant
from youtility_tasks.models import QueueControl, Tenant
from youtility_tasks.workers import offer

pytestmark = pytest.mark.usefixtures("committed")

HAND_OVER = "youtility_tasks_hand_over_v1"
CHANNEL = "only the server knows"
QUEUE = "maintenance"
SOON_S = 0.5


def long_words(*, words: str) -> None:
    return None


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
        return [offer.read(each.payload) if each.channel == CHANNEL else None for each in told]

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


@pytest.fixture
def idle(committed: None) -> Iterator[Idle]:
    """It has made its offer, and has one slot."""
    with idle_worker() as made:
        made.offers()
        yield made


@pytest.fixture
def acme(committed: None) -> int:
    return Tenant.objects.create(id=7, name="Acme").pk


@contextlib.contextmanager
def idle_worker() -> Iterator[Idle]:
    with psycopg.connect(queries.conninfo("test worker", part=None), autocommit=True) as session:
        for channel in (CHANNEL, f"procrastinate_queue_v1#{QUEUE}"):
            session.execute(f'LISTEN "{channel}"')
        yield Idle(Desk(), session)


def put(task: Task, **options: Any) -> int:
    return int(task.using(**options).enqueue().id)


def anew(idle: Idle) -> None:
    """As if nothing had happened yet."""
    execute("DELETE FROM procrastinate_jobs")
    execute("DELETE FROM youtility_tasks_queuecontrol")
    execute("UPDATE youtility_tasks_tenant SET is_active = true")
    idle.hears()


def must_keep(idle: Idle, check: Callable[[], bool], guard: str, instead: str) -> None:
    """`check` says that nothing was handed over; and with the guard replaced in the SQL function, that something was."""
    assert not check()
    anew(idle)
    original = definition(HAND_OVER)
    assert guard in original, f"{HAND_OVER} has no {guard!r}"
    execute(original.replace(guard, instead).replace("%", "%%"))
    try:
        assert check(), f"nobody notices when {guard!r} is gone"
    finally:
        execute(original.replace("%", "%%"))


# -- handed over


def test_a_job_that_comes_to_an_idle_worker_is_its_own_at_once(idle: Idle, sweep_task: Task) -> None:
    job_id = put(sweep_task)
    assert idle.is_handed(job_id)
    row = job(job_id)
    assert (row.status, row.worker_id, row.claim_number, row.attempts) == ("doing", idle.desk.id, 1, 0)
    assert row.claimed_at is not None
    assert row.claimed_at >= row.enqueued_at


def test_the_letter_says_what_a_claim_is_told(idle: Idle, add_task: Task, acme: int) -> None:
    def enqueue() -> int:
        with tenant(acme):
            return int(add_task.using(expires_at=timezone.now() + timedelta(hours=1)).enqueue(number=4).id)

    job_id = enqueue()
    (handed,) = (each for each in idle.hears() if each is not None)
    execute("DELETE FROM procrastinate_jobs")
    withdraw(idle)
    claimed_id = enqueue()
    told, claimed = handed.row[3:], idle.desk.pump(10)[0][3:]
    assert (handed.worker_id, told[0], claimed[0]) == (idle.desk.id, job_id, claimed_id)
    assert (told[1], json.loads(told[2]), told[3:-1]) == (claimed[1], json.loads(claimed[2]), tuple(claimed[3:-1]))
    for expires_in_s in (told[-1], claimed[-1]):
        assert 3500 < expires_in_s <= 3600


def test_the_letter_brings_the_trace_along(idle: Idle, sweep_task: Task) -> None:
    with transaction.atomic():
        job_id = put(sweep_task)
        execute("UPDATE procrastinate_jobs SET trace = '00-abc-def-01' WHERE id = %s", job_id)
    (handed,) = (each for each in idle.hears() if each is not None)
    ((_, trace, enqueued_at, due_s),) = queries.fetch("traces", {"job_ids": [job_id]})
    assert handed.trace[:3] == (trace, pytest.approx(enqueued_at), pytest.approx(due_s))
    assert handed.trace[0] == "00-abc-def-01"
    assert abs(handed.trace[3] - time.time()) < 60


@pytest.mark.parametrize("args", ['{"a": "\\n\\t\\"é\\u2028"}', '{"a": {"b": [1, 2.50, null]}}', "[]", '"x"'])
def test_the_letter_has_the_arguments_as_they_are(idle: Idle, args: str) -> None:
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES (%s, E'a\\nb', %s, false)",
        QUEUE,
        args,
    )
    (handed,) = (each for each in idle.hears() if each is not None)
    assert json.loads(handed.row[5]) == json.loads(args)
    assert handed.row[4] == "a\nb"


def test_inside_a_transaction_it_is_handed_over_by_the_commit(idle: Idle, sweep_task: Task) -> None:
    with transaction.atomic():
        job_id = put(sweep_task)
        assert job(job_id).status == "todo"
        assert idle.hears() == []
    assert idle.is_handed(job_id)


def test_what_is_rolled_back_is_handed_to_nobody(idle: Idle, sweep_task: Task) -> None:
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        put(sweep_task)
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        raise ZeroDivisionError
    assert idle.hears() == []
    assert idle.is_handed(put(sweep_task))


def test_it_is_handed_as_many_as_it_has_slots(idle: Idle, sweep_task: Task) -> None:
    def check() -> bool:
        return idle.is_handed(*(put(sweep_task) for _ in range(3)))

    idle.offers(slots=3)
    assert check()
    anew(idle)
    idle.offers(slots=2)
    must_keep(idle, check, ") held) < o.slots", ") held) < o.slots + 1")


def test_once_it_has_ended_its_job_it_is_handed_the_next(idle: Idle, sweep_task: Task) -> None:
    for _ in range(3):
        job_id = put(sweep_task)
        (handed,) = (each for each in idle.hears() if each is not None)
        assert handed.row[3] == job_id
        ending = {
            "id": job_id,
            "claim_number": handed.row[8],
            "verdict": "succeeded",
            "outcome": "succeeded",
            "delay_s": 0,
        }
        asked = {"worker_id": idle.desk.id, "host": "test", "queue_name": QUEUE, "n": 0, "ended": json.dumps([ending])}
        assert queries.fetch("pump", asked)[-1][0] == [job_id]


def test_of_two_workers_each_is_handed_what_the_other_has_no_hands_for(idle: Idle, sweep_task: Task) -> None:
    with idle_worker() as other:
        other.offers()
        for _ in range(2):
            put(sweep_task)
        assert rows("SELECT count(DISTINCT worker_id) FROM procrastinate_jobs WHERE status = 'doing'") == [(2,)]


def test_a_queueing_lock_is_free_for_the_next_call_as_after_a_claim(idle: Idle, single_task: Task) -> None:
    first, second, third = (int(single_task.enqueue(key="k").id) for _ in range(3))
    assert idle.is_handed(first)
    assert second == third != first, "one waits, and stands for the call"


# -- kept


def waiting(task: Task, **options: Any) -> int:
    """One that nobody was handed, and which waits."""
    with transaction.atomic():
        return put(task, **options)


@pytest.mark.parametrize(
    ("options", "guard", "instead"),
    [
        ({}, "LIMIT 2) ready) = 1", "LIMIT 2) ready) >= 1"),
        (
            {"run_after": -3600},
            "ORDER BY d.scheduled_at LIMIT 1) IS NULL",
            "ORDER BY d.scheduled_at LIMIT 1) IS DISTINCT FROM 2",
        ),
        (
            {"lock": "l"},
            "ORDER BY k.tenant_id, k.lock LIMIT 1) IS NULL",
            "ORDER BY k.tenant_id, k.lock LIMIT 1) IS DISTINCT FROM 2",
        ),
    ],
    ids=["ready", "come due", "with a lock"],
)
def test_where_another_job_waits_the_claim_says_which_goes_first(
    idle: Idle, sweep_task: Task, options: dict[str, Any], guard: str, instead: str
) -> None:
    def check() -> bool:
        given = dict(options)
        if "run_after" in given:
            given["run_after"] = timezone.now() + timedelta(seconds=given["run_after"])
        execute("DELETE FROM youtility_tasks_offer")
        waiting(sweep_task, **given)
        idle.hears()
        idle.offers()
        return idle.is_handed(put(sweep_task))

    must_keep(idle, check, guard, instead)


def test_of_two_jobs_of_one_transaction_the_claim_says_which_goes_first(idle: Idle, sweep_task: Task) -> None:
    with transaction.atomic():
        put(sweep_task)
        urgent = put(sweep_task, priority=1)
    assert not idle.is_handed()
    assert idle.desk.claim(1)[0].id == urgent


def test_a_job_of_another_queue_is_not_its_own(idle: Idle, sweep_task: Task) -> None:
    idle.offers(queue="reports")
    assert not idle.is_handed(put(sweep_task))


@pytest.mark.parametrize(("guard", "queue"), [("c.queue_name IN (p_queue, '')", QUEUE), ("(p_queue, '')", "")])
def test_where_a_control_holds_the_claim_weighs_it(idle: Idle, sweep_task: Task, guard: str, queue: str) -> None:
    def check() -> bool:
        QueueControl.objects.create(queue_name=queue, is_paused=True)
        idle.hears()
        return idle.is_handed(put(sweep_task))

    must_keep(idle, check, guard, "false" if queue else "(p_queue)")


def test_the_job_of_a_tenant_that_has_left_is_handed_to_nobody(idle: Idle, add_task: Task, acme: int) -> None:
    def check() -> bool:
        with transaction.atomic():
            with tenant(acme):
                job_id = put(add_task)
            Tenant.objects.filter(pk=acme).update(is_active=False)
        return idle.is_handed(job_id)

    must_keep(idle, check, "AND NOT t.is_active", "AND false")


def later(task: Task) -> int:
    return put(task, run_after=timezone.now() + timedelta(hours=1))


@pytest.mark.parametrize("how", [later, lambda task: put(task, lock="l")], ids=["later", "with a lock"])
def test_what_is_not_ready_by_itself_waits(idle: Idle, sweep_task: Task, how: Callable[[Task], int]) -> None:
    how(sweep_task)
    assert not idle.is_handed()


@pytest.mark.parametrize(
    "change",
    [
        "scheduled_at = now() + interval '1 hour'",
        "lock = 'l'",
        "status = 'cancelled'",
        "queue_name = 'reports'",
    ],
)
def test_a_job_that_its_own_transaction_has_changed_is_looked_at_as_it_is(
    idle: Idle, sweep_task: Task, change: str
) -> None:
    with transaction.atomic():
        job_id = put(sweep_task)
        execute(f"UPDATE procrastinate_jobs SET {change} WHERE id = %s", job_id)
    assert not idle.is_handed(job_id)


def test_a_job_that_its_own_transaction_has_deleted_is_handed_to_nobody(idle: Idle, sweep_task: Task) -> None:
    with transaction.atomic():
        put(sweep_task)
        execute("DELETE FROM procrastinate_jobs")
    assert not idle.is_handed()


def test_a_worker_that_is_not_heard_of_is_handed_nothing(idle: Idle, sweep_task: Task) -> None:
    def check() -> bool:
        idle.desk.fall_silent(61)
        return idle.is_handed(put(sweep_task))

    must_keep(idle, check, "> instant - o.fresh_s * interval '1 second'", "> '-infinity'")


def test_a_worker_whose_session_has_ended_is_handed_nothing(sweep_task: Task, idle: Idle) -> None:
    def check() -> bool:
        execute("DELETE FROM youtility_tasks_offer")
        with psycopg.connect(queries.conninfo("test worker", part=None), autocommit=True) as gone:
            Idle(idle.desk, gone).offers()
        return idle.is_handed(put(sweep_task))

    must_keep(idle, check, "NOT pg_try_advisory_xact_lock_shared(", "true OR NOT pg_try_advisory_xact_lock_shared(")


def test_a_new_offer_stands_by_itself_while_the_session_of_the_old_one_lives(idle: Idle, sweep_task: Task) -> None:
    with psycopg.connect(queries.conninfo("test worker", part=None), autocommit=True) as successor:
        successor.execute(f'LISTEN "{CHANNEL}"')
        Idle(idle.desk, successor).offers()
    assert not idle.is_handed(put(sweep_task)), "the old session's lock stands for nobody"


def test_a_transaction_that_cannot_see_what_a_worker_holds_hands_nothing_over(idle: Idle, sweep_task: Task) -> None:
    def check() -> bool:
        with transaction.atomic():
            execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            job_id = put(sweep_task)
        return idle.is_handed(job_id)

    must_keep(idle, check, "<> 'read committed'", "= 'nothing'")


def test_a_letter_that_is_too_long_for_a_notification_is_not_written(idle: Idle, declare: Callable[..., Task]) -> None:
    task = declare(long_words, tenant="all")

    def check(words: str = "é" * 4000) -> bool:
        return idle.is_handed(int(task.enqueue(words=words).id))

    assert check("é" * 3400)
    anew(idle)
    assert not check()
    anew(idle)
    original = definition(HAND_OVER)
    execute(
        original.replace("most_bytes CONSTANT integer := 7000", "most_bytes CONSTANT integer := 70000").replace(
            "%", "%%"
        )
    )
    try:
        with pytest.raises(DatabaseError, match="payload string too long"):
            check()
    finally:
        execute(original.replace("%", "%%"))


def test_one_transaction_at_a_time_hands_over_and_none_waits_for_another(idle: Idle, sweep_task: Task) -> None:
    with handing_over() as first:
        began = time.monotonic()
        second = put(sweep_task)
        assert time.monotonic() - began < 1
        assert job(second).status == "todo"
    assert idle.is_handed(first)


def test_two_at_a_time_would_mean_the_same_slot(idle: Idle, sweep_task: Task) -> None:
    guard = "OR NOT pg_try_advisory_xact_lock(hashtext('youtility_tasks_hand_over'), hashtext(p_queue))"
    original = definition(HAND_OVER)
    assert guard in original
    execute(original.replace(guard, "").replace("%", "%%"))
    try:
        with handing_over() as first:
            second = put(sweep_task)
        assert idle.is_handed(first, second), "of a worker with one slot"
    finally:
        execute(original.replace("%", "%%"))


@contextlib.contextmanager
def handing_over() -> Iterator[int]:
    """Somebody else is about to commit a job that he has handed over."""
    with psycopg.connect(queries.conninfo("test aside", part=None)) as aside:
        insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES (%s, 'x', '{}', false) RETURNING id"
        ((job_id,),) = aside.execute(insert, [QUEUE]).fetchall()
        aside.execute("SET CONSTRAINTS ALL IMMEDIATE")
        yield job_id


@pytest.mark.parametrize("table", ["youtility_tasks_offer", "youtility_tasks_queuecontrol"])
def test_while_somebody_has_locked_a_table_who_enqueues_waits_for_nobody(
    idle: Idle, sweep_task: Task, table: str
) -> None:
    with locked(table), transaction.atomic():
        execute("SET LOCAL statement_timeout = '2s'")
        put(sweep_task)
        execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert not idle.is_handed()


def test_a_worker_that_is_rescued_meanwhile_is_handed_nothing(idle: Idle, sweep_task: Task) -> None:
    with psycopg.connect(queries.conninfo("test aside", part=None)) as aside:
        aside.execute("DELETE FROM procrastinate_workers WHERE id = %s", [idle.desk.id])
        job_id = put(sweep_task)
        assert job(job_id).status == "todo"
        aside.commit()
    assert not idle.is_handed(job_id)


# -- beside it


def test_an_offer_goes_with_its_worker(idle: Idle) -> None:
    idle.desk.fall_silent()
    rescue()
    assert rows("SELECT count(*) FROM youtility_tasks_offer") == [(0,)]


def test_a_worker_that_withdraws_is_handed_nothing_more(idle: Idle, sweep_task: Task) -> None:
    withdraw(idle)
    assert not idle.is_handed(put(sweep_task))
    idle.desk.claim()
    idle.offers(slots=2)
    assert any(idle.hears()) is False
    put(sweep_task)
    assert len([each for each in idle.hears() if each]) == 1


def withdraw(idle: Idle) -> None:
    idle.session.execute(queries.statement("withdraw"), {"worker_id": idle.desk.id})


def test_a_worker_that_leaves_gives_back_what_it_is_handed_meanwhile(idle: Idle) -> None:
    def leave() -> str:
        execute("DELETE FROM procrastinate_jobs")
        with idle_worker() as leaving:
            leaving.offers()
            with ThreadPoolExecutor(1) as pool:
                with handing_over():
                    unregister = "SELECT youtility_tasks_unregister_v1(%s)"
                    left = pool.submit(leaving.session.execute, unregister, [leaving.desk.id])
                    until(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), why="it waits")
                left.result()
        ((status,),) = rows("SELECT status FROM procrastinate_jobs")
        return str(status)

    withdraw(idle)
    idle.hears()
    assert leave() == "todo"
    assert None in idle.hears(), "another worker is told"
    guard = "PERFORM FROM procrastinate_workers w WHERE w.id = p_worker_id FOR UPDATE;"
    original = definition("youtility_tasks_unregister_v1")
    assert guard in original
    execute(original.replace(guard, "").replace("%", "%%"))
    try:
        assert leave() == "doing", "a stray, for half a minute"
    finally:
        execute(original.replace("%", "%%"))


def test_a_renewal_gives_back_what_the_worker_has_not_heard_of_but_not_at_once(idle: Idle, sweep_task: Task) -> None:
    job_id = put(sweep_task)
    assert idle.desk.renew(after_s=0) == set()
    assert idle.desk.renew() == {("returned", job_id)}
    assert job(job_id).status == "todo"


def test_who_enqueues_a_thousand_is_not_asked_a_thousand_times(idle: Idle, sweep_task: Task) -> None:
    guard = "PERFORM set_config('youtility_tasks.kept', NEW.queue_name, true);"

    def asked() -> int:
        execute("SELECT set_config('test.asked', '0', false)")
        enqueue.enqueue_many(sweep_task, [{"number": n} for n in range(20)])
        return int(rows("SELECT current_setting('test.asked')")[0][0])

    hand_over, wake = definition(HAND_OVER), definition("youtility_tasks_wake_v1")
    counted = (
        "BEGIN\n    PERFORM set_config('test.asked', (current_setting('test.asked')::integer + 1)::text, false);\n"
    )
    assert guard in wake
    execute(hand_over.replace("BEGIN\n", counted, 1).replace("%", "%%"))
    try:
        with connection_that_is_notifying():
            assert asked() == 1
            execute(wake.replace(guard, "").replace("%", "%%"))
            assert asked() == 20
    finally:
        execute(hand_over.replace("%", "%%"))
        execute(wake.replace("%", "%%"))


@contextlib.contextmanager
def connection_that_is_notifying() -> Iterator[None]:
    """Somebody else wakes the workers in these seconds, so that nobody else does."""
    with psycopg.connect(queries.conninfo("test aside", part=None)) as aside:
        moments = [f"{QUEUE}{int(time.time() * 20) + n}" for n in range(-20, 400)]
        aside.execute(
            "SELECT pg_advisory_xact_lock(hashtext('youtility_tasks_wake'), hashtext(m)) FROM unnest(%s::text[]) m",
            [moments],
        )
        yield


def test_without_a_right_to_it_who_enqueues_does_not_fail(idle: Idle, sweep_task: Task) -> None:
    """Between a migration and `setup_task_queue`."""
    execute("CREATE ROLE yt_without_rights")
    try:
        execute(f"ALTER FUNCTION {HAND_OVER}(bigint, text) OWNER TO yt_without_rights")
        assert not idle.is_handed(put(sweep_task))
    finally:
        execute(f"ALTER FUNCTION {HAND_OVER}(bigint, text) OWNER TO CURRENT_USER")
        execute("DROP ROLE yt_without_rights")


def test_the_tenant_of_the_transaction_is_what_it_was(idle: Idle) -> None:
    with transaction.atomic():
        execute("SELECT set_config('youtility_tasks.token', 'whose', true)")
        execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted, tenant_id) VALUES (%s, 'x', '{}', false, 0)",
            QUEUE,
        )
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert rows("SELECT current_setting('youtility_tasks.token')") == [("whose",)]
    assert idle.is_handed(*(found for (found,) in rows("SELECT id FROM procrastinate_jobs")))
