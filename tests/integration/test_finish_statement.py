"""Ending attempts: the verdicts, the fence, and queueing locks that are taken by the time a job goes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.desk import Claimed, Desk, execute, job, rescue, rows, statuses
from tests.integration.mutants import must_catch
from youtility_tasks import Task, tenant
from youtility_tasks.models import Job, TaskExecutionHistory

FINISH = "youtility_tasks_finish_v2"


@pytest.fixture
def held(desk: Desk, add_task: Task, acme: int) -> Claimed:
    """A job that the desk holds."""
    with tenant(acme):
        add_task.enqueue(number=1)
    return desk.take()


def attempts(job_id: int) -> list[dict[str, Any]]:
    fields = ("attempt", "status", "outcome", "is_final", "result", "error_class", "error_message", "args")
    return list(TaskExecutionHistory.objects.of_job(job_id).values(*fields))


# -- the verdicts


@pytest.mark.parametrize(
    ("verdict", "outcome", "status", "attempt_count", "crashes", "recorded", "final"),
    [
        ("succeeded", "succeeded", None, None, None, "succeeded", True),
        ("aborted", "aborted", None, None, None, "aborted", True),
        ("failed", "failed", "failed", 1, 0, "failed", True),
        ("failed", "bad_input", "failed", 1, 0, "failed", True),
        ("failed", "crashed", "failed", 1, 1, "failed", True),
        ("retry", "retry", "todo", 1, 0, "failed", False),
        ("retry", "timed_out", "todo", 1, 0, "failed", False),
        ("crashed", "crashed", "todo", 0, 1, "failed", False),
        ("released", "lost", "todo", 0, 0, None, None),
    ],
)
def test_a_verdict_moves_the_job_and_records_the_attempt(
    desk: Desk,
    held: Claimed,
    verdict: str,
    outcome: str,
    status: str | None,
    attempt_count: int | None,
    crashes: int | None,
    recorded: str | None,
    final: bool | None,
) -> None:
    assert desk.finish(held, verdict, outcome=outcome, run_ms=12.5, error_message="why")

    if status is None:
        assert not Job.objects.filter(pk=held.id).exists()
    else:
        row = job(held.id)
        assert (row.status, row.attempts, row.crash_count, row.worker_id) == (status, attempt_count, crashes, None)
        assert (row.failed_at is not None) is (status == "failed")
    if recorded is None:
        assert attempts(held.id) == []
    else:
        (attempt,) = attempts(held.id)
        assert (attempt["status"], attempt["outcome"], attempt["is_final"]) == (recorded, outcome, final)
        assert attempt["args"] == ({"number": 1} if final else None)
        assert attempt["error_message"] == "why"


def test_the_history_holds_all_that_was_known_of_the_attempt(desk: Desk, held: Claimed, acme: int) -> None:
    desk.finish(
        held, "succeeded", pid=55, run_ms=12.5, cpu_ms=3.5, peak_memory_kib=2048, result={"n": 2}, traceback="", x="y"
    )

    row = TaskExecutionHistory.objects.get(job_id=held.id)
    assert (row.task_name, row.queue_name, row.tenant_id, row.priority, row.attempt) == (
        "add",
        "maintenance",
        acme,
        5,
        1,
    )
    assert (row.worker_id, row.host, row.pid, row.claim_number) == (desk.id, "test", 55, held.claim_number)
    assert (row.run_ms, row.cpu_ms, row.peak_memory_kib, row.result) == (12.5, 3.5, 2048, {"n": 2})
    assert row.started_at is not None and row.enqueued_at <= row.started_at <= row.finished_at
    assert row.wait_ms is not None and row.wait_ms >= 0


def test_attempts_are_numbered_from_one_and_a_crash_uses_none_up(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        add_task.enqueue()
    job_id = None
    for verdict in ("retry", "crashed", "retry", "released", "failed"):
        held = desk.take()
        job_id = held.id
        assert desk.finish(held, verdict)

    assert job_id is not None
    assert [(a["attempt"], a["is_final"]) for a in attempts(job_id)] == [(1, False), (2, False), (2, False), (3, True)]


def test_a_wait_is_counted_from_the_databases_clock(desk: Desk, held: Claimed) -> None:
    assert desk.finish(held, "retry", delay_s=600)

    ((wait_s,),) = rows("SELECT extract(epoch FROM scheduled_at - clock_timestamp()) FROM procrastinate_jobs")
    assert 590 < wait_s <= 600
    assert desk.claim() == []


def test_a_retry_without_a_wait_is_due_at_once_and_its_wait_is_counted_from_there(
    desk: Desk, add_task: Task, acme: int
) -> None:
    with tenant(acme):
        add_task.enqueue()
    execute("UPDATE procrastinate_jobs SET enqueued_at = enqueued_at - interval '1 hour'")
    assert desk.finish(desk.take(), "retry")
    second = desk.take()
    assert desk.finish(second, "succeeded")

    waits = TaskExecutionHistory.objects.of_job(second.id).values_list("wait_ms", flat=True)
    assert [wait_ms is not None and wait_ms < 60_000 for wait_ms in waits] == [False, True]


def test_many_endings_are_one_statement_and_each_is_judged_alone(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        for number in range(5):
            add_task.enqueue(number=number)
    first, second, third, fourth, fifth = desk.claim()
    assert desk.finish(third, "succeeded")

    accepted = desk.finish_all(
        [(first, "succeeded", {}), (second, "retry", {}), (third, "failed", {}), (fourth, "failed", {})]
    )

    assert accepted == {first.id, second.id, fourth.id}
    assert statuses() == {second.id: "todo", fourth.id: "failed", fifth.id: "doing"}


@pytest.mark.parametrize("verdict", ["retry", "crashed", "released"])
def test_a_job_that_was_asked_to_end_does_not_come_back(desk: Desk, held: Claimed, verdict: str) -> None:
    execute("UPDATE procrastinate_jobs SET abort_requested = true")

    assert desk.finish(held, verdict)

    assert statuses() == {}
    assert [(a["status"], a["outcome"], a["is_final"]) for a in attempts(held.id)] == [("aborted", "aborted", True)]


@pytest.mark.parametrize(("verdict", "status"), [("succeeded", "succeeded"), ("failed", "failed")])
def test_a_job_that_ended_before_it_heard_of_the_abort_keeps_its_ending(
    desk: Desk, held: Claimed, verdict: str, status: str
) -> None:
    execute("UPDATE procrastinate_jobs SET abort_requested = true")

    assert desk.finish(held, verdict)

    assert [a["status"] for a in attempts(held.id)] == [status]


# -- the fence


VERDICTS = ["succeeded", "failed", "aborted", "retry", "crashed", "released"]


def everything() -> list[tuple[Any, ...]]:
    return rows("SELECT * FROM procrastinate_jobs ORDER BY id") + rows("SELECT * FROM youtility_tasks_history")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_another_worker_changes_nothing(desk: Desk, other_desk: Desk, held: Claimed, verdict: str) -> None:
    def check() -> None:
        before = everything()
        assert not other_desk.finish(held, verdict)
        assert everything() == before

    must_catch(check, FINISH, "AND j.worker_id = p_worker_id", "")


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("claim_number", [0, -1, 2, 10**9])
def test_another_claim_changes_nothing(desk: Desk, held: Claimed, verdict: str, claim_number: int) -> None:
    def check() -> None:
        before = everything()
        assert not desk.finish(held, verdict, claim_number=claim_number)
        assert everything() == before

    must_catch(check, FINISH, "AND j.claim_number = e.claim_number", "")


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "aborted"])
def test_a_job_that_has_ended_otherwise_is_left_alone(desk: Desk, held: Claimed, verdict: str, status: str) -> None:
    """procrastinate's own `finish_job_by_id` ends a job and leaves its worker in the row."""
    execute("UPDATE procrastinate_jobs SET status = %s", status)

    def check() -> None:
        before = everything()
        assert not desk.finish(held, verdict)
        assert everything() == before

    must_catch(check, FINISH, "j.status = 'doing' AND j.worker_id", "j.worker_id")


def test_a_frozen_worker_that_wakes_up_changes_nothing(desk: Desk, other_desk: Desk, held: Claimed) -> None:
    desk.fall_silent()
    assert rescue() == {held.id: "rescued"}
    second = other_desk.take()
    before = everything()

    assert not any(desk.finish(held, verdict) for verdict in VERDICTS)

    assert everything() == before
    assert other_desk.finish(second, "succeeded")


def test_the_same_ending_sent_twice_counts_once(desk: Desk, held: Claimed) -> None:
    assert desk.finish(held, "retry")
    assert not desk.finish(held, "retry")

    assert job(held.id).attempts == 1
    assert len(attempts(held.id)) == 1


# -- queueing locks


def take_one_of(task: Task, key: str, desk: Desk) -> Claimed:
    task.enqueue(key=key)
    return desk.take()


@pytest.mark.parametrize("verdict", ["retry", "crashed", "released"])
def test_a_job_goes_back_although_another_waits_under_its_queueing_lock(
    desk: Desk, single_task: Task, verdict: str
) -> None:
    def check() -> None:
        held, neighbour = (take_one_of(single_task, key, desk) for key in ("a", "b"))
        waiting = single_task.enqueue(key="a", number=1)

        assert desk.finish_all([(held, verdict, {}), (neighbour, verdict, {})]) == {held.id, neighbour.id}

        assert set(statuses().values()) == {"todo"}
        locks = {each.pk: each.queueing_lock for each in Job.objects.all()}
        assert locks == {held.id: None, int(waiting.id): "0:a", neighbour.id: "0:b"}

    must_catch(check, FINISH, "o.queueing_lock = h.queueing_lock AND o.status = 'todo'", "false")


@pytest.mark.parametrize("verdict", ["retry", "crashed", "released"])
def test_of_two_with_one_queueing_lock_that_go_back_at_once_the_first_keeps_it(
    desk: Desk, single_task: Task, verdict: str
) -> None:
    def check() -> None:
        first, second, neighbour = (take_one_of(single_task, key, desk) for key in ("a", "a", "b"))

        desk.finish_all([(second, verdict, {}), (first, verdict, {}), (neighbour, verdict, {})])

        assert set(statuses().values()) == {"todo"}
        locks = {each.pk: each.queueing_lock for each in Job.objects.all()}
        assert locks == {first.id: "0:a", second.id: None, neighbour.id: "0:b"}

    must_catch(check, FINISH, "o.queueing_lock = h.queueing_lock AND o.id < h.id", "false")


def test_a_job_goes_back_with_its_queueing_lock_when_it_is_free(desk: Desk, single_task: Task) -> None:
    single_task.enqueue(key="a")
    held = desk.take()

    assert desk.finish(held, "retry")

    assert single_task.enqueue(key="a", number=5).id == str(held.id)


def test_a_job_of_procrastinates_periodic_deferrer_leaves_and_its_tick_stays(desk: Desk, add_task: Task) -> None:
    """The tick is what keeps an occurrence from being deferred twice; the link to a job that is gone must be cut."""
    ((job_id,),) = rows(
        "SELECT procrastinate_defer_periodic_job_v2(%s, NULL, NULL, %s, 5, '', 1800000000, '{\"number\": 1}')",
        desk.queue_name,
        add_task.name,
    )

    assert desk.finish(desk.take(), "succeeded")

    assert rows("SELECT id FROM procrastinate_jobs WHERE id = %s", job_id) == []
    assert rows("SELECT task_name, job_id FROM procrastinate_periodic_defers") == [(add_task.name, None)]
    assert rows(
        "SELECT procrastinate_defer_periodic_job_v2(%s, NULL, NULL, %s, 5, '', 1800000000, '{\"number\": 1}')",
        desk.queue_name,
        add_task.name,
    ) == [(None,)]
