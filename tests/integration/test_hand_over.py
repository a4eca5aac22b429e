"""A job that comes to an idle queue is handed to an idle worker as its transaction commits; where anything speaks against it, it waits to be claimed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from tests.integration.desk import execute, job, rows
from tests.integration.idle import (
    CLAIM_FOR,
    HAND_OVER,
    QUEUE,
    Idle,
    anew,
    changed,
    idle_worker,
    last_trigger,
    must_keep,
    put,
    withdraw,
)
from youtility_tasks import Task, queries, tenant
from youtility_tasks.models import QueueControl, Tenant

pytestmark = pytest.mark.usefixtures("committed")


def long_words(*, words: str) -> None:
    return None


# -- handed over


def test_a_job_that_comes_to_an_idle_worker_is_its_own_at_once(idle: Idle, sweep_task: Task) -> None:
    job_id = put(sweep_task)
    assert idle.is_handed(job_id)
    row = job(job_id)
    assert (row.status, row.worker_id, row.claim_number, row.attempts) == ("doing", idle.desk.id, 1, 0)
    assert row.claimed_at is not None
    assert row.claimed_at >= row.enqueued_at


def test_the_letter_says_what_a_claim_is_told(idle: Idle, add_task: Task, kept_acme: int) -> None:
    def enqueue() -> int:
        with tenant(kept_acme):
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
        ({}, "LIMIT 2) = ARRAY[p_job_id]", "LIMIT 2) @> ARRAY[p_job_id]"),
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


def test_the_job_of_a_tenant_that_has_left_is_handed_to_nobody(idle: Idle, add_task: Task, kept_acme: int) -> None:
    def check() -> bool:
        with transaction.atomic():
            with tenant(kept_acme):
                job_id = put(add_task)
            Tenant.objects.filter(pk=kept_acme).update(is_active=False)
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
    def check() -> bool:
        with transaction.atomic():
            job_id = put(sweep_task)
            execute(f"UPDATE procrastinate_jobs SET {change} WHERE id = %s", job_id)
        return idle.is_handed(job_id)

    if change.startswith("lock"):  # of that the look at locks knows as well
        assert not check()
    else:
        must_keep(idle, check, "LIMIT 2) = ARRAY[p_job_id]", "LIMIT 2) IS NOT NULL")


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
    with changed(CLAIM_FOR, ("most_bytes CONSTANT integer := 7000", "most_bytes CONSTANT integer := 70000")):
        assert not check(), "whatever goes wrong in it"
        anew(idle)
        fails = pytest.raises(DatabaseError, match="payload string too long")
        with changed(HAND_OVER, ("WHEN OTHERS", "WHEN division_by_zero")), fails:
            check()
