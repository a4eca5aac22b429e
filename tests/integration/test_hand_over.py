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

HAND_OVER, CLAIM_FOR, WAKE = "youtility_tasks_hand_over_v1", "youtility_tasks_claim_for_v1", "youtility_tasks_wake_v1"
KNOWN = "SELECT set_config('youtility_tasks.commits', '3', false)"
"""In a session that has enqueued before; one that has just begun hands nothing over."""
CHANNEL = "only the server knows"
QUEUE = "maintenance"
SOON_S = 0.5


def long_words(*, words: str) -> None:
    return None


WAITS_FOR_ROW = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event <> 'advisory'"


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


@pytest.fixture
def idle(committed: None) -> Iterator[Idle]:
    """It has made its offer, and has one slot."""
    execute(KNOWN)
    original = definition(HAND_OVER)
    assert "'5 ms'" in original
    execute(
        original.replace("'5 ms'", "'1 hour'").replace("%", "%%")
    )  # on a machine that is busy with other things anything may take long
    try:
        with idle_worker() as made:
            made.offers()
            yield made
    finally:
        execute(original.replace("%", "%%"))


@pytest.fixture
def acme(committed: None) -> int:
    return Tenant.objects.create(id=7, name="Acme").pk


@contextlib.contextmanager
def idle_worker() -> Iterator[Idle]:
    with psycopg.connect(queries.conninfo("test worker", part=None), autocommit=True) as session:
        session.execute(f'LISTEN "procrastinate_queue_v1#{QUEUE}"')
        yield Idle(Desk(), session)


def put(task: Task, **options: Any) -> int:
    return int(task.using(**options).enqueue().id)


def anew(idle: Idle) -> None:
    """As if nothing had happened yet."""
    execute("DELETE FROM procrastinate_jobs")
    execute("DELETE FROM youtility_tasks_queuecontrol")
    execute("UPDATE youtility_tasks_tenant SET is_active = true")
    idle.hears()


def must_keep(idle: Idle, check: Callable[[], bool], guard: str, instead: str, *, function: str = CLAIM_FOR) -> None:
    """`check` says that nothing was handed over; and with the guard replaced in the SQL function, that something was."""
    assert not check()
    anew(idle)
    original = definition(function)
    assert guard in original, f"{function} has no {guard!r}"
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
    with last_trigger("RAISE division_by_zero"), pytest.raises(DatabaseError, match="division_by_zero"):
        put(sweep_task)
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
        Idle(idle.desk, successor).offers()
    assert not idle.is_handed(put(sweep_task)), "the old session's lock stands for nobody"


def test_a_transaction_that_cannot_see_what_a_worker_holds_hands_nothing_over(idle: Idle, sweep_task: Task) -> None:
    def check() -> bool:
        with transaction.atomic():
            execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            job_id = put(sweep_task)
        return idle.is_handed(job_id)

    must_keep(idle, check, "<> 'read committed'", "= 'nothing'", function=HAND_OVER)


def test_a_letter_that_is_too_long_for_a_notification_is_not_written(idle: Idle, declare: Callable[..., Task]) -> None:
    task = declare(long_words, tenant="all")

    def check(words: str = "é" * 4000) -> bool:
        return idle.is_handed(int(task.enqueue(words=words).id))

    assert check("é" * 3400)
    anew(idle)
    assert not check()
    anew(idle)
    claim_for, hand_over = definition(CLAIM_FOR), definition(HAND_OVER)
    execute(
        claim_for.replace("most_bytes CONSTANT integer := 7000", "most_bytes CONSTANT integer := 70000").replace(
            "%", "%%"
        )
    )
    try:
        assert not check(), "whatever goes wrong in it"
        anew(idle)
        execute(hand_over.replace("WHEN OTHERS", "WHEN division_by_zero").replace("%", "%%"))
        with pytest.raises(DatabaseError, match="payload string too long"):
            check()
    finally:
        execute(claim_for.replace("%", "%%"))
        execute(hand_over.replace("%", "%%"))


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


@pytest.mark.parametrize("table", ["youtility_tasks_offer", "youtility_tasks_queuecontrol"])
def test_while_somebody_has_locked_a_table_who_enqueues_waits_for_nobody(
    idle: Idle, sweep_task: Task, table: str
) -> None:
    with locked(table), transaction.atomic():
        execute("SET LOCAL statement_timeout = '2s'")
        put(sweep_task)
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
                    until(lambda: rows(WAITS_FOR_ROW), why="it waits")
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
    guard = "PERFORM set_config('youtility_tasks.kept',"

    def asked() -> int:
        execute("SELECT set_config('test.asked', '0', false)")
        enqueue.enqueue_many(sweep_task, [{"number": n} for n in range(20)])
        return int(rows("SELECT current_setting('test.asked')")[0][0])

    hand_over, wake = definition(HAND_OVER), definition(WAKE)
    counted = (
        "BEGIN\n    PERFORM set_config('test.asked', (current_setting('test.asked')::integer + 1)::text, false);\n"
    )
    assert guard in wake
    execute(hand_over.replace("BEGIN\n", counted, 1).replace("%", "%%"))
    try:
        with connection_that_is_notifying():
            assert asked() == 1
            execute(wake.replace(guard, "PERFORM set_config('test.kept',").replace("%", "%%"))
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


def test_of_a_thousand_jobs_for_two_queues_two_are_asked_for(idle: Idle, sweep_task: Task) -> None:
    def asked() -> int:
        execute("SELECT set_config('test.asked', '0', false)")
        with transaction.atomic():
            for n in range(20):
                put(sweep_task, queue_name=("reports", QUEUE)[n % 2])
        return int(rows("SELECT current_setting('test.asked')")[0][0])

    hand_over, wake = definition(HAND_OVER), definition(WAKE)
    counted = (
        "BEGIN\n    PERFORM set_config('test.asked', (current_setting('test.asked')::integer + 1)::text, false);\n"
    )
    guard = "kept || '/' ||"
    assert guard in wake
    execute(hand_over.replace("BEGIN\n", counted, 1).replace("%", "%%"))
    try:
        assert asked() == 2
        execute(wake.replace(guard, "'/' ||").replace("%", "%%"))
        assert asked() == 20
    finally:
        execute(hand_over.replace("%", "%%"))
        execute(wake.replace("%", "%%"))


def test_without_a_right_to_it_who_enqueues_does_not_fail(idle: Idle, sweep_task: Task) -> None:
    """Between a migration and `setup_task_queue`."""
    execute("CREATE ROLE yt_without_rights")
    try:
        execute("ALTER FUNCTION youtility_tasks_wake_v1() OWNER TO yt_without_rights")
        assert not idle.is_handed(put(sweep_task))
    finally:
        execute("ALTER FUNCTION youtility_tasks_wake_v1() OWNER TO CURRENT_USER")
        execute("DROP ROLE yt_without_rights")


def test_where_the_transaction_has_another_search_path_by_now_nobody_fails(idle: Idle, sweep_task: Task) -> None:
    def enqueue_and_look_elsewhere() -> int:
        with transaction.atomic():
            job_id = put(sweep_task)
            execute("SET LOCAL search_path = ''")
        return job_id

    assert idle.is_handed(enqueue_and_look_elsewhere())
    anew(idle)
    original = definition(WAKE)
    execute("ALTER FUNCTION youtility_tasks_wake_v1() RESET search_path")
    try:
        with pytest.raises(DatabaseError, match="does not exist"):
            enqueue_and_look_elsewhere()
    finally:
        execute(original.replace("%", "%%"))


def test_a_transaction_that_may_write_no_more_commits(idle: Idle, sweep_task: Task) -> None:
    def enqueue_and_only_read() -> int:
        with transaction.atomic():
            job_id = put(sweep_task)
            execute("SET TRANSACTION READ ONLY")
        return job_id

    assert not idle.is_handed(enqueue_and_only_read())
    anew(idle)
    original = definition(HAND_OVER)
    execute(original.replace("WHEN OTHERS", "WHEN division_by_zero").replace("%", "%%"))
    try:
        with pytest.raises(DatabaseError, match="read-only"):
            enqueue_and_only_read()
    finally:
        execute(original.replace("%", "%%"))


@pytest.mark.parametrize("before", [True, False])
def test_a_transaction_that_may_go_on_hands_nothing_over(idle: Idle, sweep_task: Task, before: bool) -> None:
    """It might delete the job, and nobody can take a letter back."""

    def check() -> bool:
        with transaction.atomic():
            if before:
                execute("SET CONSTRAINTS ALL IMMEDIATE")
            job_id = put(sweep_task)
            execute("SET CONSTRAINTS ALL IMMEDIATE")
            found = job(job_id).status == "doing"
        idle.hears()
        return found

    assert not check()
    anew(idle)
    execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER youtility_tasks_handed")
    try:
        assert check()
    finally:
        execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER youtility_tasks_handed")


def test_the_tenant_of_the_transaction_is_what_it_was(idle: Idle) -> None:
    execute("CREATE TABLE zz_found (token text)")
    try:
        with (
            last_trigger("INSERT INTO zz_found VALUES (current_setting('youtility_tasks.token'))"),
            transaction.atomic(),
        ):
            execute("SELECT set_config('youtility_tasks.token', 'whose', true)")
            execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted, tenant_id) VALUES (%s, 'x', '{}', false, 0)",
                QUEUE,
            )
        assert rows("SELECT token FROM zz_found") == [("whose",)]
    finally:
        execute("DROP TABLE zz_found")
    assert idle.is_handed(*(found for (found,) in rows("SELECT id FROM procrastinate_jobs")))


def takes_long(hand_over: str) -> str:
    """The function, as if an old snapshot were open."""
    assert "    handed :=" in hand_over
    return (
        hand_over.replace("'1 hour'", "'15 ms'")
        .replace("    handed :=", "    PERFORM pg_sleep(0.02);\n    handed :=")
        .replace("%", "%%")
    )


def told_to_rest(idle: Idle, *, times: int = 3) -> list[bool]:
    """Of some jobs that one session enqueues: whether its workers are told to rest."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES (%s, 'x', '{}', false)"
    found = []
    with psycopg.connect(queries.conninfo("test aside", part=None), autocommit=True) as aside:
        aside.execute(KNOWN)
        for _ in range(times):
            aside.execute(insert, [QUEUE])
            told = [each.payload for each in idle.session.notifies(timeout=SOON_S) if each.channel == CHANNEL]
            assert any(told), "it is handed over all the same"
            found.append("" in told)
            anew(idle)
    return found


def test_where_it_takes_long_twice_the_workers_are_told_to_rest(idle: Idle) -> None:
    """The first time it is planned, which takes long, too."""
    original = definition(HAND_OVER)
    assert told_to_rest(idle) == [False] * 3
    slow = takes_long(original)
    try:
        execute(slow)
        assert told_to_rest(idle) == [False, False, True]
        execute(slow.replace("p_is_planned AND", ""))
        assert told_to_rest(idle) == [False, True, True]
        execute(slow.replace("takes_long AND took_long", "takes_long"))
        assert told_to_rest(idle) == [False, True, True]
    finally:
        execute(original.replace("%", "%%"))


def test_a_session_that_has_just_begun_hands_nothing_over(idle: Idle) -> None:
    """It would plan for longer than the claim takes, and an application that opens one for each request pays that each time."""
    insert = "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES (%s, 'x', '{}', false) RETURNING status"

    def handed_by() -> list[bool]:
        found = []
        with psycopg.connect(queries.conninfo("test aside", part=None), autocommit=True) as aside:
            for _ in range(5):
                aside.execute(insert, [QUEUE])
                found.append(bool(rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'")))
                anew(idle)
        return found

    assert handed_by() == [False, False, False, True, True]
    original = definition(WAKE)
    execute(original.replace("commits >= few AND", "").replace("%", "%%"))
    try:
        assert handed_by() == [True] * 5
    finally:
        execute(original.replace("%", "%%"))


def test_a_worker_that_is_not_registered_any_more_offers_nothing(idle: Idle) -> None:
    """It learns of that by its next renewal."""
    execute("DELETE FROM procrastinate_workers")
    idle.offers()
    assert rows("SELECT count(*) FROM youtility_tasks_offer") == [(0,)]
