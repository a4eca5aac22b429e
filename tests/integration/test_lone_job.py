"""The short way of a claim: one job that comes to an idle queue. What needs weighing goes the long way, with the same end.

Every other test of claims goes both ways (`desk.py`, `mutants.py`); here each condition of the short one is looked at by itself.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from tests.integration.desk import Claimed, Desk, execute, job, rescue, rows, statuses
from tests.integration.mutants import LONE, PUMP_LONE, definition, must_catch, undone
from youtility_tasks import Task, queries, roster, tenant
from youtility_tasks.models import QueueControl

pytestmark = pytest.mark.django_db

LATER = timedelta(hours=1)
LONG_WAY = "RETURN QUERY SELECT * FROM youtility_tasks_pump_v4(p_worker_id, p_host, NULL, p_queue, p_n);"


def ids(claimed: list[Claimed]) -> list[int]:
    return [each.id for each in claimed]


def put(task: Task, **options: Any) -> int:
    return int(task.using(**options).enqueue().id)


def setting(name: str) -> str | None:
    return rows("SELECT current_setting(%s, true)", f"youtility_tasks.{name}")[0][0]


def test_a_lone_job_is_claimed_by_one_statement_and_told_as_by_the_long_way(
    desk: Desk, add_task: Task, acme: int
) -> None:
    told = []
    for function, closes, by in ((PUMP_LONE, LONG_WAY, ""), (LONE, "HAVING count(*) = 1", "HAVING false")):
        with undone():
            execute(definition(function).replace(closes, by).replace("%", "%%"))
            with tenant(acme):
                job_id = int(add_task.using(expires_at=timezone.now() + LATER).enqueue(number=4).id)
            (*claimed, answer) = desk.pump(10)
            ((_, _, _, found, *what, expires_in_s),) = claimed
            assert found == job_id
            assert 3500 < expires_in_s <= 3600
            row = job(job_id)
            assert (row.status, row.worker_id, row.claim_number) == ("doing", desk.id, 1)
            assert row.claimed_at is not None
            assert row.claimed_at >= row.enqueued_at
            told.append([*what[:1], json.loads(what[1]), *what[2:], answer])
    assert told[0] == told[1]


def test_where_nothing_waits_the_answer_is_that_of_the_long_way(desk: Desk) -> None:
    assert desk.pump(10) == [([], False, None, *[None] * 9)]


@pytest.mark.parametrize(("n", "looks_again"), [(1, True), (2, False)])
def test_who_got_all_it_asked_for_looks_again(desk: Desk, sweep_task: Task, n: int, looks_again: bool) -> None:
    put(sweep_task)
    assert desk.pump(n)[-1][1] is looks_again


def test_a_cursor_among_locks_that_is_open_is_gone_on_with(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task)
        execute("SELECT set_config('youtility_tasks.locks_from', 'here', true)")
        assert desk.pump(2)[-1][1] is True

    must_catch(check, PUMP_LONE, "coalesce(current_setting('youtility_tasks.locks_from', true), '') <> ''", "false")


def test_who_asks_for_nothing_gets_nothing(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task)
        assert len(desk.pump(0)) == 1

    must_catch(check, PUMP_LONE, "IF p_n > 0", "IF true")


def test_two_jobs_are_both_claimed(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        found = [put(sweep_task), put(sweep_task)]
        assert ids(desk.claim(10)) == found

    must_catch(check, LONE, "HAVING count(*) = 1", "HAVING count(*) > 0")


def test_every_claim_draws_a_new_number(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task)
        first = desk.take()
        assert desk.finish(first, "released")
        assert desk.take().claim_number == first.claim_number + 1
        assert not desk.finish(first, "succeeded")

    must_catch(check, LONE, "claim_number = j.claim_number + 1", "claim_number = j.claim_number")


def test_a_control_is_kept(desk: Desk, sweep_task: Task) -> None:
    def check(queue_name: str = desk.queue_name) -> None:
        QueueControl.objects.create(queue_name=queue_name, is_paused=True)
        put(sweep_task)
        assert desk.claim() == []

    controls = "NOT EXISTS (SELECT FROM youtility_tasks_queuecontrol c WHERE c.queue_name IN (p_queue, ''))"
    must_catch(check, LONE, controls, "true")
    must_catch(lambda: check(""), LONE, "(p_queue, '')", "(p_queue)")


def test_the_job_of_a_tenant_that_has_left_is_not_claimed(desk: Desk, add_task: Task, acme: int) -> None:
    def check() -> None:
        with tenant(acme):
            put(add_task)
        roster.deactivate(acme)
        assert desk.claim() == []

    must_catch(check, LONE, "AND NOT t.is_active", "AND false")


@pytest.mark.parametrize(
    ("options", "guard"),
    [
        ({"run_after": -LATER}, "ORDER BY d.scheduled_at LIMIT 1) IS NULL"),
        ({"lock": "l"}, "ORDER BY k.tenant_id, k.lock LIMIT 1) IS NULL"),
    ],
    ids=["come due", "with a lock"],
)
def test_a_more_urgent_job_of_another_kind_goes_first(
    desk: Desk, sweep_task: Task, options: dict[str, Any], guard: str
) -> None:
    def check() -> None:
        put(sweep_task)
        given = {**options, "run_after": timezone.now() + options["run_after"]} if "run_after" in options else options
        urgent = put(sweep_task, priority=1, **given)
        assert ids(desk.claim(1)) == [urgent]

    must_catch(check, LONE, guard, guard.replace("IS NULL", "IS NOT DISTINCT FROM 1 OR true"))


def test_what_is_not_due_waits_and_keeps_no_other_from_the_short_way(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task, run_after=timezone.now() + LATER)
        assert desk.claim() == []
        execute(definition(PUMP_LONE).replace(LONG_WAY, "").replace("%", "%%"))
        now = put(sweep_task)
        assert ids(desk.claim()) == [now]

    must_catch(check, LONE, "AND j.scheduled_at IS NULL", "")
    must_catch(check, LONE, "d.scheduled_at <= instant", "d.scheduled_at IS NOT NULL")


def test_another_queues_job_is_left(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task, queue_name="email")
        assert desk.claim() == []

    must_catch(check, LONE, "AND j.queue_name = p_queue", "")


def test_what_is_remembered_of_a_busy_queue_is_forgotten(desk: Desk, sweep_task: Task) -> None:
    """Turns that are owed, and where the last claims ended: a claim by the long way puts both back, and so must each."""
    for name, said in (("turns", "{7}|{5}"), ("floors", "2000-01-01|{}|{}|{}|-infinity")):

        def check(name: str = name, said: str = said) -> None:
            execute("SELECT set_config(%s, %s, true)", f"youtility_tasks.{name}", said)
            put(sweep_task)
            assert len(desk.claim()) == 1
            assert setting(name) == ""

        must_catch(check, LONE, f"coalesce(current_setting('youtility_tasks.{name}', true), '') <> ''", "false")


def test_a_worker_that_was_rescued_gets_nothing_and_is_answered(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task)
        desk.fall_silent()
        rescue()
        assert desk.pump(10) == [([], False, None, *[None] * 9)]
        assert set(statuses().values()) == {"todo"}

    must_catch(check, LONE, "WHEN foreign_key_violation", "WHEN division_by_zero")


# -- at depth

CROWD = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, noted, status, lock, scheduled_at, tenant_id)
    SELECT q, 't', false, s::procrastinate_job_status, CASE WHEN g %% 3 = 0 THEN g::text END, CASE WHEN g %% 3 = 1 THEN now() END, g %% 50
      FROM generate_series(1, 4000) g, unnest(ARRAY['email', 'reports', 'maintenance']) q, unnest(ARRAY['todo', 'failed']) s
     WHERE NOT (q = 'maintenance' AND s = 'todo')
"""


def test_a_lone_job_is_found_beside_a_crowd_by_a_plan_that_an_empty_table_made(fresh_database: Any) -> None:
    """Jobs of other queues, dead letters of its own: none of them is walked past."""
    with psycopg.connect(fresh_database.url, autocommit=True) as session:
        text = queries.statement("pump_lone")
        ((worker,),) = session.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'maintenance', 10)").fetchall()
        asked = {"worker_id": worker, "host": "h", "queue_name": "maintenance", "n": 10}
        for _ in range(6):
            session.execute(text, asked)
        session.execute(CROWD.replace("%%", "%"))
        session.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, noted) VALUES ('maintenance', 't', false)"
        )

        ((plan,),) = session.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", asked).fetchall()

        assert plan[0]["Plan"]["Actual Rows"] == 2
        assert plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"] < 250
