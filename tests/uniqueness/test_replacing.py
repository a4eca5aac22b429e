"""The later call's arguments for the job that waits: replace, and debounce."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.integration.desk import Desk, execute, job, rows
from tests.integration.mutants import must_catch
from tests.uniqueness.test_holding import REPLACE, bring, due_now
from youtility_tasks import Debounce, Task, Unique, tenant

pytestmark = pytest.mark.django_db

REPLACES = [
    Unique(by="site_id", while_="waiting", on_conflict="replace"),
    Unique(by="site_id", on_conflict="replace"),
    Unique(by="site_id", while_="until_done", on_conflict="replace"),
    Unique(by="site_id", period_s=60, on_conflict="replace"),
]


@pytest.mark.parametrize("rule", REPLACES, ids=lambda rule: str(rule.while_))
def test_a_waiting_job_has_all_that_the_later_call_says(ruled: Callable[..., Task], rule: Unique) -> None:
    task = ruled(unique=rule, lock=lambda args: args["reason"])
    later, end = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)
    first = task.enqueue(site_id=5, reason="old")

    second = task.using(priority=1, run_after=later, expires_at=end).enqueue(site_id=5, reason="new")

    assert (second.id, second.is_new, second.is_replaced) == (first.id, False, True)
    assert second.kwargs == {"site_id": 5, "reason": "new"}
    row = job(first.id)
    assert (row.args["reason"], row.priority, row.lock, row.scheduled_at, row.expires_at) == (
        "new",
        10,
        "0:new",
        later,
        end,
    )
    third = task.enqueue(site_id=5, reason="now")
    assert (third.is_replaced, job(first.id).scheduled_at, job(first.id).expires_at) == (True, None, None)


@pytest.mark.parametrize("rule", REPLACES[1:], ids=lambda rule: str(rule.while_))
def test_a_running_job_is_never_changed(desk: Desk, ruled: Callable[..., Task], rule: Unique) -> None:
    task = ruled(unique=rule)

    def check() -> None:
        first = task.enqueue(site_id=5, reason="old")
        desk.take()
        again = task.enqueue(site_id=5, reason="new")
        assert (again.id, again.is_new, again.is_replaced) == (first.id, False, False)
        assert job(first.id).args["reason"] == "old"

    must_catch(check, REPLACE, "AND j.status = 'todo'", "")


def test_a_dead_letter_is_never_changed(desk: Desk, ruled: Callable[..., Task]) -> None:
    task = ruled(unique=REPLACES[2])
    first = task.enqueue(site_id=5, reason="old")
    bring(desk, first.id, "it is a dead letter")

    again = task.enqueue(site_id=5, reason="new")

    assert (again.id, again.is_replaced, job(first.id).args["reason"]) == (first.id, False, "old")


def test_a_job_that_waits_for_its_retry_starts_afresh(desk: Desk, ruled: Callable[..., Task]) -> None:
    task = ruled(unique=REPLACES[0])
    first = task.enqueue(site_id=5, reason="old")
    execute("UPDATE procrastinate_jobs SET enqueued_at = enqueued_at - interval '1 hour'")
    desk.finish(desk.take(), "retry", delay_s=60)
    assert job(first.id).attempts == 1

    again = task.enqueue(site_id=5, reason="new")

    row = job(first.id)
    assert (again.id, again.is_replaced, row.attempts, row.args["reason"]) == (first.id, True, 0, "new")
    assert timezone.now() - row.enqueued_at < timedelta(minutes=1)
    (taken,) = desk.claim()
    assert (taken.id, taken.attempts, taken.args["reason"]) == (int(first.id), 0, "new")
    assert desk.finish(taken, "succeeded")


def test_a_job_that_is_parked_under_a_limit_is_looked_at_again(ruled: Callable[..., Task]) -> None:
    task = ruled(unique=REPLACES[0])
    first = task.enqueue(site_id=5)
    execute("UPDATE procrastinate_jobs SET parked_by = 77")

    def check() -> None:
        assert task.enqueue(site_id=5).is_replaced
        assert job(first.id).parked_by == 0

    must_catch(check, REPLACE, ", parked_by = 0", "")


def test_the_job_of_a_step_is_never_changed(ruled: Callable[..., Task]) -> None:
    task = ruled(unique=REPLACES[1])
    first = task.enqueue(site_id=5, reason="old")
    execute("UPDATE procrastinate_jobs SET step_id = 1")

    def check() -> None:
        assert not task.enqueue(site_id=5, reason="new").is_replaced
        assert job(first.id).args["reason"] == "old"

    must_catch(check, REPLACE, "AND j.step_id IS NULL", "")


def test_a_job_that_holds_the_key_no_longer_is_not_changed(ruled: Callable[..., Task]) -> None:
    """As it is where it was claimed, came back and found its key taken, between the look and the change."""
    plain = ruled()
    for rule, column in zip(REPLACES, ("queueing_lock", "unique_key", "done_key"), strict=False):
        task = plain.using(unique=rule)
        first = task.enqueue(site_id=5, reason="old")
        ((key,),) = rows(f"SELECT {column} FROM procrastinate_jobs WHERE id = %s", int(first.id))

        def ask(first_id: int = int(first.id), column: str = column, key: str = key) -> bool:
            said = "jsonb_build_object('tenant_id', 0, 'task_name', 'report', 'priority', 5, 'args', '{}', %s::text, %s::text)"
            ((changed,),) = rows(f"SELECT youtility_tasks_replace_v1(%s, {said})", first_id, column, key)
            return bool(changed)

        assert ask()

        def check(column: str = column, ask: Callable[[], bool] = ask) -> None:
            execute(f"UPDATE procrastinate_jobs SET {column} = NULL")
            assert not ask()

        must_catch(check, REPLACE, f"(c.{column} IS NULL OR j.{column} = c.{column})", "true")


# -- debounce


def seconds_until_due(job_id: str) -> float:
    ((seconds,),) = rows(
        "SELECT extract(epoch FROM scheduled_at - clock_timestamp())::float8 FROM procrastinate_jobs WHERE id = %s",
        int(job_id),
    )
    return float(seconds)


def test_each_call_within_the_window_moves_the_job_and_the_last_one_wins(
    desk: Desk, ruled: Callable[..., Task]
) -> None:
    task = ruled(debounce=Debounce(30, by="site_id"))

    def check() -> None:
        first = task.enqueue(site_id=5, reason="first")
        assert 29 < seconds_until_due(first.id) <= 30 and desk.claim() == []
        execute(
            "UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - interval '20 s', enqueued_at = enqueued_at - interval '20 s'"
        )
        last = task.enqueue(site_id=5, reason="last")
        assert (last.id, last.is_new, last.is_replaced) == (first.id, False, True)
        assert 29 < seconds_until_due(first.id) <= 30
        due_now()
        held = desk.take()
        assert held.args == {"site_id": 5, "reason": "last"}
        assert task.enqueue(site_id=5, reason="the next window").is_new

    must_catch(check, REPLACE, "clock_timestamp() + c.debounce_s * interval '1 second'", "w.scheduled_at")


def test_a_steady_stream_of_calls_waits_no_longer_than_its_bound(ruled: Callable[..., Task]) -> None:
    task = ruled(debounce=Debounce(30, by="site_id", max_wait_s=100))

    def check() -> None:
        first = task.enqueue(site_id=5)
        for age, left in ((60, 30), (80, 20), (99, 1), (500, -400)):
            execute("UPDATE procrastinate_jobs SET enqueued_at = clock_timestamp() - %s * interval '1 s'", age)
            assert task.enqueue(site_id=5, reason=f"after {age} s").is_replaced
            assert left - 1 < seconds_until_due(first.id) <= left
        assert job(first.id).args["reason"] == "after 500 s"

    must_catch(check, REPLACE, "least(clock_timestamp() + c.debounce_s", "greatest(clock_timestamp() + c.debounce_s")


def test_a_debounced_job_that_waits_for_its_retry_opens_a_new_window(desk: Desk, ruled: Callable[..., Task]) -> None:
    task = ruled(debounce=Debounce(30, by="site_id"))
    first = task.enqueue(site_id=5, reason="old")
    due_now()
    execute("UPDATE procrastinate_jobs SET enqueued_at = enqueued_at - interval '1 hour'")
    desk.finish(desk.take(), "retry", delay_s=600)

    again = task.enqueue(site_id=5, reason="new")

    assert (again.id, job(first.id).attempts) == (first.id, 0)
    assert 29 < seconds_until_due(first.id) <= 30


def test_without_by_only_calls_that_are_alike_are_debounced(ruled: Callable[..., Task]) -> None:
    task = ruled(debounce=30)

    assert task.enqueue(site_id=5).is_new
    assert task.enqueue(site_id=6).is_new, "its arguments would be lost"
    assert task.enqueue(site_id=5, reason="").is_replaced, "a default that is named is the same call"


# -- what the database itself refuses


def test_the_function_that_changes_a_job_asks_what_the_policies_of_a_new_one_ask(
    ruled: Callable[..., Task], acme: int
) -> None:
    from django.db import ProgrammingError, transaction

    task = ruled(tenant="one", unique=REPLACES[0])
    with tenant(acme):
        first = task.enqueue(site_id=5)

    def ask(**more: object) -> object:
        import json

        call = {"tenant_id": acme, "task_name": "report", "priority": 5, "args": "{}", **more}
        ((changed,),) = rows("SELECT youtility_tasks_replace_v1(%s, %s::jsonb)", int(first.id), json.dumps(call))
        return changed

    for bad in (
        {"lock": "8:of another"},
        {"priority": 11},
        {"priority": 0},
        {"priority": None},
        {"scheduled_at": "9999-12-31T00:00:00Z"},
        {"debounce_s": 1e12},
        {"debounce_s": -1},
        {"max_wait_s": 1e12},
    ):
        with pytest.raises(ProgrammingError, match="not for a job of this tenant"), transaction.atomic():
            ask(**bad)
    assert ask(tenant_id=8) is False and ask(task_name="another") is False
    assert ask(lock=f"{acme}:own") is True
