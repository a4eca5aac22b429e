"""A worker's lease: what it is told when it renews, who may rescue its jobs, what it leaves when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DataError, IntegrityError, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException

from tests.integration.desk import Claimed, Desk, execute, job, rescue, rows, statuses
from tests.integration.mutants import must_catch
from youtility_tasks import Task
from youtility_tasks.models import Job, QueueCounter, TaskExecutionHistory, TaskWorker

RENEW, RESCUE, REGISTER = "youtility_tasks_renew_v1", "youtility_tasks_rescue_v1", "youtility_tasks_register_v2"
STRAYS = "youtility_tasks_enter_strays_v1"


@pytest.fixture
def held(desk: Desk, sweep_task: Task) -> Claimed:
    sweep_task.enqueue()
    return desk.take()


@pytest.fixture
def two_of_one_queueing_lock(desk: Desk, single_task: Task) -> list[int]:
    """Two running jobs that waited under one queueing lock, one after the other."""
    ids = []
    for number in range(2):
        single_task.enqueue(key="a", number=number)
        ids.append(desk.take().id)
    return ids


# -- renewing


def test_a_worker_that_holds_what_the_table_says_is_told_nothing(desk: Desk, held: Claimed) -> None:
    assert desk.renew(held) == set()
    assert statuses() == {held.id: "doing"}


def test_renewing_moves_the_heartbeat(desk: Desk) -> None:
    desk.fall_silent(8)
    desk.renew(status="draining")

    ((silence_s,),) = rows("SELECT extract(epoch FROM clock_timestamp() - last_heartbeat) FROM procrastinate_workers")
    assert silence_s < 5
    assert TaskWorker.objects.get(pk=desk.id).status == "draining"


def test_a_job_whose_claim_reply_was_lost_goes_back(desk: Desk, held: Claimed) -> None:
    assert desk.renew() == {("returned", held.id)}

    row = job(held.id)
    assert (row.status, row.attempts, row.crash_count, row.worker_id) == ("todo", 0, 0, None)
    assert desk.take().claim_number > held.claim_number


def test_a_job_of_another_worker_is_not_returned(desk: Desk, other_desk: Desk, held: Claimed) -> None:
    assert other_desk.renew() == set()
    assert statuses() == {held.id: "doing"}


def test_a_job_that_is_no_longer_held_is_called_lost(desk: Desk, other_desk: Desk, held: Claimed) -> None:
    execute("UPDATE procrastinate_jobs SET worker_id = %s", other_desk.id)
    assert desk.renew(held) == {("lost", held.id)}

    execute("DELETE FROM procrastinate_jobs")
    assert desk.renew(held) == {("lost", held.id)}


def test_a_job_under_another_claim_of_the_same_worker_is_called_lost(desk: Desk, held: Claimed) -> None:
    def check() -> None:
        assert desk.finish(held, "released")
        again = desk.take()

        assert desk.renew(held) >= {("lost", held.id)}
        assert job(again.id).claim_number == again.claim_number

    must_catch(
        check,
        RENEW,
        "m.id = h.id AND m.claim_number = h.claim_number WHERE m.id IS NULL",
        "m.id = h.id WHERE m.id IS NULL",
    )


def test_an_abort_is_told_to_the_worker_that_runs_the_job(desk: Desk, other_desk: Desk, held: Claimed) -> None:
    execute("UPDATE procrastinate_jobs SET abort_requested = true")

    assert desk.renew(held) == {("abort", held.id)}
    assert other_desk.renew() == set()


def test_a_worker_that_was_rescued_is_told_so_and_nothing_else(desk: Desk, held: Claimed) -> None:
    def check() -> None:
        desk.fall_silent()
        rescue()

        assert desk.renew(held) == {("unregistered", None)}

    must_catch(check, RENEW, "IF NOT FOUND THEN", "IF false THEN")


def test_two_of_one_queueing_lock_go_back_together(desk: Desk, two_of_one_queueing_lock: list[int]) -> None:
    assert desk.renew() == {("returned", job_id) for job_id in two_of_one_queueing_lock}

    assert set(statuses().values()) == {"todo"}


def test_a_returned_job_goes_back_although_another_waits_under_its_queueing_lock(desk: Desk, single_task: Task) -> None:
    single_task.enqueue(key="a")
    held = desk.take()
    waiting = single_task.enqueue(key="a", number=1)

    assert desk.renew() == {("returned", held.id)}

    assert statuses() == {held.id: "todo", int(waiting.id): "todo"}


# -- rescuing


def test_the_jobs_of_a_silent_worker_wait_again_with_no_attempt_used(desk: Desk, held: Claimed) -> None:
    desk.fall_silent(11)

    assert rescue(lease_s=10) == {held.id: "rescued"}

    row = job(held.id)
    assert (row.status, row.attempts, row.crash_count, row.rescue_count, row.worker_id) == ("todo", 0, 0, 1, None)
    attempt = TaskExecutionHistory.objects.get(job_id=held.id)
    assert (attempt.outcome, attempt.is_final, attempt.worker_id) == ("lost", False, desk.id)
    assert attempt.error_message == f"worker {desk.id} fell silent"
    assert TaskWorker.objects.get(pk=desk.id).status == "lost"
    assert QueueCounter.objects.get(name="rescued_total").value == 1


def test_a_worker_within_its_lease_is_left_alone(desk: Desk, held: Claimed) -> None:
    def check() -> None:
        desk.fall_silent(8)
        assert rescue(lease_s=10) == {}
        assert statuses() == {held.id: "doing"}

    must_catch(check, RESCUE, "w.last_heartbeat < clock_timestamp() - p_lease_s * interval '1 second'", "true")


def a_stock_worker_takes_a_job_and_is_silent_for(seconds: int) -> int:
    """Its id."""
    ((stock,),) = rows("SELECT worker_id FROM procrastinate_register_worker_v1()")
    execute("SELECT procrastinate_fetch_job_v2(NULL, %s)", stock)
    execute(
        "UPDATE procrastinate_workers SET last_heartbeat = now() - %s * interval '1 second' WHERE id = %s",
        seconds,
        stock,
    )
    return int(stock)


def test_a_stock_worker_is_left_alone_as_long_as_procrastinate_would(desk: Desk, sweep_task: Task) -> None:
    """It reports every ten seconds only, so our lease says nothing of it."""
    sweep_task.enqueue()

    def check() -> None:
        stock = a_stock_worker_takes_a_job_and_is_silent_for(25)

        assert rescue() == {}
        assert set(statuses().values()) == {"doing"}
        assert rows("SELECT count(*) FROM procrastinate_workers WHERE id = %s", stock) == [(1,)]

    must_catch(
        check,
        RESCUE,
        "FROM procrastinate_workers w JOIN youtility_tasks_taskworker t ON t.id = w.id",
        "FROM procrastinate_workers w",
    )


def test_the_job_of_a_stock_worker_that_is_silent_for_longer_is_rescued(desk: Desk, sweep_task: Task) -> None:
    job_id = int(sweep_task.enqueue().id)

    def check() -> None:
        stock = a_stock_worker_takes_a_job_and_is_silent_for(31)

        assert rescue() == {job_id: "rescued"}
        assert rows("SELECT count(*) FROM procrastinate_workers WHERE id = %s", stock) == [(0,)]
        assert TaskWorker.objects.get(pk=stock).status == "lost"
        assert desk.take().id == job_id

    must_catch(check, STRAYS, "w.last_heartbeat < long_ago", "false")


def test_a_running_job_whose_worker_was_pruned_is_rescued(desk: Desk, held: Claimed) -> None:
    def check() -> None:
        execute("DELETE FROM procrastinate_workers WHERE id = %s", desk.id)

        assert rescue() == {held.id: "rescued"}
        row = job(held.id)
        assert (row.status, row.attempts, row.rescue_count, row.worker_id) == ("todo", 0, 1, None)
        assert rescue() == {}, "nothing is left of it"
        assert rows("SELECT count(*) FROM procrastinate_workers") == [(0,)]

    must_catch(check, STRAYS, "j.status = 'doing' AND j.worker_id IS NULL", "false")


LOWEST = -(2**31)
WRITES = {
    "deferred": "INSERT INTO procrastinate_jobs (queue_name, task_name, priority) VALUES ('maintenance', 't', %s)",
    "deferred for later": "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, scheduled_at) "
    "VALUES ('maintenance', 't', %s, now())",
    "by hand, while it runs": "UPDATE procrastinate_jobs SET priority = %s",
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_the_one_priority_that_no_index_can_order_is_refused_however_it_comes(held: Claimed, write: str) -> None:
    with pytest.raises(IntegrityError, match="youtility_tasks_jobs_priority"), transaction.atomic():
        execute(write, LOWEST)

    execute(write, LOWEST + 1)


def test_without_that_guard_one_priority_keeps_everybody_from_rescuing(desk: Desk, held: Claimed) -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("ALTER TABLE procrastinate_jobs DROP CONSTRAINT youtility_tasks_jobs_priority")
    execute("UPDATE procrastinate_jobs SET priority = %s", LOWEST)
    desk.fall_silent()

    with pytest.raises(DataError, match="integer out of range"), transaction.atomic():
        rescue()


@pytest.mark.parametrize("priority", [LOWEST + 1, 2**31 - 1])
def test_a_job_of_an_extreme_priority_is_claimed_rescued_and_finished(
    desk: Desk, sweep_task: Task, priority: int
) -> None:
    app.configure_task("theirs", queue=desk.queue_name, allow_unknown=True, priority=priority).defer()
    taken = desk.take()
    desk.fall_silent()

    assert rescue() == {taken.id: "rescued"}

    again = Desk()
    assert again.finish(again.take(), "failed")
    assert statuses() == {taken.id: "failed"}


def test_a_caller_of_procrastinates_is_told_which_rule_its_priority_breaks(db: None) -> None:
    with pytest.raises(ConnectorException) as refused, transaction.atomic():
        app.configure_task("theirs", queue="maintenance", allow_unknown=True, priority=LOWEST).defer()

    assert "youtility_tasks_jobs_priority" in str(refused.value.__cause__)


def test_the_jobs_of_other_workers_are_left_alone(
    desk: Desk, other_desk: Desk, held: Claimed, sweep_task: Task
) -> None:
    sweep_task.enqueue(number=1)
    others = other_desk.take()

    def check() -> None:
        desk.fall_silent()
        rescue()
        assert statuses() == {held.id: "todo", others.id: "doing"}

    theirs = "(SELECT n.id FROM procrastinate_jobs n WHERE n.worker_id = ANY (silent))"
    guard = f"j.id = ANY (ARRAY{theirs})\n           AND j.worker_id = ANY (silent) AND j.status = 'doing'"
    must_catch(check, RESCUE, guard, "j.status = 'doing'")


@pytest.mark.parametrize("status", ["succeeded", "failed", "aborted", "cancelled"])
def test_an_ended_job_that_still_names_the_worker_is_left_alone(desk: Desk, held: Claimed, status: str) -> None:
    execute("UPDATE procrastinate_jobs SET status = %s", status)

    def check() -> None:
        desk.fall_silent()
        assert rescue() == {}
        assert statuses() == {held.id: status}

    must_catch(check, RESCUE, "j.worker_id = ANY (silent) AND j.status = 'doing'", "j.worker_id = ANY (silent)")


def test_a_job_that_outlives_worker_after_worker_becomes_a_dead_letter(desk: Desk, held: Claimed) -> None:
    execute("UPDATE procrastinate_jobs SET rescue_count = 2")
    desk.fall_silent()

    assert rescue(max_rescues=3) == {held.id: "failed"}

    row = job(held.id)
    assert (row.status, row.rescue_count) == ("failed", 3)
    assert row.failed_at is not None
    attempt = TaskExecutionHistory.objects.get(job_id=held.id)
    assert (attempt.status, attempt.is_final, attempt.args) == ("failed", True, {})


def test_a_job_that_was_asked_to_end_is_not_rescued_but_ended(desk: Desk, held: Claimed) -> None:
    execute("UPDATE procrastinate_jobs SET abort_requested = true")
    desk.fall_silent()

    assert rescue() == {held.id: "aborted"}

    assert statuses() == {}
    assert TaskExecutionHistory.objects.get(job_id=held.id).status == "aborted"


def test_two_of_one_queueing_lock_are_rescued_together(desk: Desk, two_of_one_queueing_lock: list[int]) -> None:
    desk.fall_silent()

    assert rescue() == dict.fromkeys(two_of_one_queueing_lock, "rescued")

    assert set(statuses().values()) == {"todo"}
    assert sorted(map(str, Job.objects.values_list("queueing_lock", flat=True))) == ["0:a", "None"]


def test_a_job_is_rescued_although_another_waits_under_its_queueing_lock(desk: Desk, single_task: Task) -> None:
    single_task.enqueue(key="a")
    held = desk.take()
    single_task.enqueue(key="a", number=1)
    desk.fall_silent()

    assert rescue() == {held.id: "rescued"}

    assert set(statuses().values()) == {"todo"}


def test_a_worker_is_rescued_once(desk: Desk, held: Claimed) -> None:
    desk.fall_silent()

    assert rescue() != {}
    assert rescue() == {}
    assert rows("SELECT count(*) FROM procrastinate_workers WHERE id = %s", desk.id) == [(0,)]


# -- registering after one that died


def test_a_successor_rescues_at_once_what_the_dead_worker_held(db: None, sweep_task: Task) -> None:
    dead = Desk(token="a" * 32)
    sweep_task.enqueue()
    held = dead.take()

    def check() -> None:
        assert Desk(token="b" * 32, dead=["a" * 32]).rescued == {held.id: "rescued"}
        assert TaskExecutionHistory.objects.get(job_id=held.id).error_message == f"worker {dead.id} died"

        row = job(held.id)
        assert (row.status, row.attempts, row.crash_count, row.rescue_count, row.worker_id) == ("todo", 0, 0, 1, None)
        assert TaskExecutionHistory.objects.get(job_id=held.id).outcome == "lost"
        assert TaskWorker.objects.get(pk=dead.id).status == "lost"
        assert QueueCounter.objects.get(name="rescued_total").value == 1
        assert not dead.finish(held, "succeeded")

    must_catch(check, REGISTER, "IF FOUND THEN", "IF false THEN")


def test_a_successor_takes_nothing_from_a_worker_that_was_not_called_dead(db: None, sweep_task: Task) -> None:
    first, second = Desk(token="a" * 32), Desk()
    for number, desk in enumerate((first, second)):
        sweep_task.enqueue(number=number)
        desk.take()

    def check() -> None:
        for dead in ([], ["c" * 32], [""]):  # workers of the version before have no token
            assert Desk(token="b" * 32, dead=dead).rescued == {}
        assert set(statuses().values()) == {"doing"}

    must_catch(check, REGISTER, "t.token <> '' AND t.token = ANY (p_dead)", "t.token = ANY (p_dead)")
    must_catch(check, REGISTER, "t.token = ANY (p_dead)", "true")


def test_a_worker_that_registers_twice_is_no_successor_of_itself(db: None, sweep_task: Task) -> None:
    sweep_task.enqueue()
    Desk(token="a" * 32, dead=["b" * 32]).take()

    assert Desk(token="a" * 32, dead=["b" * 32]).rescued == {}


def test_a_worker_of_the_version_before_registers_and_is_rescued_by_its_lease(desk: Desk, held: Claimed) -> None:
    ((old,),) = rows("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 1)")
    execute("UPDATE procrastinate_jobs SET worker_id = %s", old)
    execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute' WHERE id = %s", old)

    assert rescue() == {held.id: "rescued"}


# -- leaving


def test_a_worker_that_leaves_gives_back_what_it_held(
    desk: Desk, other_desk: Desk, held: Claimed, sweep_task: Task
) -> None:
    sweep_task.enqueue(number=1)
    others = other_desk.take()

    assert desk.leave() == 1

    row = job(held.id)
    assert (row.status, row.attempts, row.crash_count, row.rescue_count) == ("todo", 0, 0, 0)
    assert job(others.id).status == "doing"
    assert TaskWorker.objects.get(pk=desk.id).status == "stopped"
    assert other_desk.take().id == held.id


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_worker_that_leaves_revives_nothing(desk: Desk, held: Claimed, status: str) -> None:
    execute("UPDATE procrastinate_jobs SET status = %s", status)

    assert desk.leave() == 0

    assert statuses() == {held.id: status}


def test_two_of_one_queueing_lock_are_given_back_together(desk: Desk, two_of_one_queueing_lock: list[int]) -> None:
    assert desk.leave() == 2

    assert set(statuses().values()) == {"todo"}


@pytest.mark.parametrize("give_back", [Desk.leave, Desk.renew, lambda desk: (desk.fall_silent(), rescue())])
def test_a_job_that_was_asked_to_end_does_not_run_again(
    desk: Desk, held: Claimed, give_back: Callable[[Desk], Any]
) -> None:
    execute("UPDATE procrastinate_jobs SET abort_requested = true")

    give_back(desk)

    assert statuses() == {}
    assert TaskExecutionHistory.objects.get(job_id=held.id).status == "aborted"


def test_worker_ids_are_never_used_again(desk: Desk) -> None:
    desk.leave()

    assert Desk().id > desk.id
