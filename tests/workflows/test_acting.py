"""Cancel, retry in three modes, deadlines, dead letters that are retried by hand, and the sweep that finds nothing to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from tests.integration.desk import execute, rescue, rows
from tests.integration.mutants import must_catch
from tests.workflows.play import Play, jobs_of
from tests.workflows.test_spreading import commit, inner, pass_time, upkeep
from youtility_tasks import COMPLETION, FAILURE, Task, Workflow, acts, errors, queries, suspension, tenant
from youtility_tasks.models import Job, TaskWorkflow, WorkflowStep
from youtility_tasks.workflows import runs, sweep

pytestmark = pytest.mark.django_db


def swept() -> tuple[int, int]:
    (found,) = queries.fetch("flows_sweep", {"most": 1000})
    return found  # type: ignore[return-value]


def diamond(make_task: Task, mail_task: Task, tidy_task: Task) -> Workflow:
    """a -> b (success), a -> c (completion), b -> d (success), c -> e; a fails or not."""
    flow = Workflow("diamond")
    a = flow.step(make_task, name="a")
    b = flow.step(mail_task, name="b", after=a)
    c = flow.step(tidy_task, name="c", after={a: COMPLETION})
    flow.step(mail_task, name="d", after=b)
    flow.step(tidy_task, name="e", after=c)
    return flow


# -- every way a job ends


@pytest.mark.parametrize(
    ("how", "status"),
    [("cancel", "cancelled"), ("stock", "succeeded"), ("stock failed", "failed"), ("vanished", "cancelled"), ("rescue", "failed"),
     ("suspended", "cancelled"), ("straggler", "cancelled"), ("old pump", "succeeded")],
)  # fmt: skip
def test_every_way_a_job_ends_releases(
    how: str, status: str, acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    job = Job.objects.get()
    match how:
        case "cancel":
            acts.cancel(job.pk)
        case "stock" | "stock failed":
            execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", job.pk)
            word = "failed" if how == "stock failed" else "succeeded"
            execute("SELECT procrastinate_finish_job_v1(%s, %s, false)", job.pk, word)
        case "vanished":
            execute("DELETE FROM procrastinate_jobs WHERE id = %s", job.pk)
        case "rescue":
            play.take()
            play.desk.fall_silent()
            rescue(max_rescues=1)
        case "suspended":
            suspension.suspend(acme)
        case "straggler":
            execute("UPDATE youtility_tasks_tenant SET is_active = false, deactivated_at = now() WHERE id = %s", acme)
            suspension.stop_stragglers(datetime.now(UTC), lambda: False)
        case "old pump":  # of a worker of the release before
            play.take()
            rows("SELECT youtility_tasks_finish_v2(%s, 'x', jsonb_build_array(jsonb_build_object('id', %s, 'claim_number', 1,"
                 " 'verdict', 'succeeded', 'outcome', 'succeeded', 'delay_s', 0)))", play.desk.id, job.pk)  # fmt: skip

    assert run.statuses()["a"] == status
    assert swept() == (0, 0)
    left_next = "cancelled" if how in {"suspended", "straggler"} else "todo"
    assert run.statuses()["c"] == left_next
    assert run.statuses()["b"] == (left_next if status == "succeeded" else "skipped")


def test_what_a_stock_worker_ended_has_no_result_for_those_who_refer_to_it(
    acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("stock")
    made = flow.step(make_task)
    flow.step(mail_task, after=made, to=made.result["n"])
    with tenant(acme):
        flow.start()
    execute("UPDATE procrastinate_jobs SET status = 'doing'")
    execute("SELECT procrastinate_finish_job_v1(id, 'succeeded', false) FROM procrastinate_jobs")
    play.take()
    (told,) = play.run("mail")

    assert told["error_class"] == "youtility_tasks.errors.ResultMissing"


def test_without_its_triggers_a_step_is_untold_and_the_sweep_finds_it(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    play.take()
    commit()  # or the table has events of its own to come
    execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER youtility_tasks_step_gone")
    play.end("a", result=5)
    execute("ALTER TABLE procrastinate_jobs ENABLE TRIGGER youtility_tasks_step_gone")
    execute("SELECT set_config('youtility_tasks.ended_jobs', '', false)")
    assert run.statuses()["a"] == "todo"

    assert sweep.sweep(datetime.now(UTC), lambda: False) == (1, True)

    assert (run.step("a").status, run.step("a").result) == ("succeeded", 5)
    assert play.take() == ["b", "c"]
    assert swept() == (0, 0)


def test_the_sweep_releases_what_is_ready(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    execute("UPDATE youtility_tasks_workflowstep SET status = 'succeeded', ended_at = now() WHERE name = 'a'")

    assert swept() == (0, 1)

    assert [run.statuses()[name] for name in "bcde"] == ["todo", "todo", "blocked", "blocked"]
    assert run.row.open_count == 4


def test_parts_of_the_release_that_are_taken_away_are_missed(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task
) -> None:
    def check() -> None:
        play = Play()
        with tenant(acme):
            good, bad = (diamond(make_task, mail_task, tidy_task).start() for _ in range(2))
        for job in play.desk.claim():
            play.desk.finish(job, "succeeded" if job.args["$flow"][1] == good.id else "failed")
        assert [good.statuses()[n] for n in "abcde"] == ["succeeded", "todo", "todo", "blocked", "blocked"]
        assert [bad.statuses()[n] for n in "abcde"] == ["failed", "skipped", "todo", "skipped", "blocked"]
        while claimed := play.desk.claim():
            for job in claimed:
                play.desk.finish(job, "succeeded")
        assert (good.status, bad.status) == ("succeeded", "failed")
        assert (jobs_of(good), jobs_of(bad)) == (5, 3)
        execute("SET CONSTRAINTS ALL IMMEDIATE")

    for guard, instead in (
        ("d.kind = 'completion' OR", ""),
        ("d.kind = 'success' AND s.status = 'succeeded'", "d.kind = 'success'"),
        ("WHERE NOT c.is_ready AND c.pending = 0", "WHERE false"),
        ("next_ended := next_ended || dead;", ""),
        ("w.failed_count + e.failed > 0", "false"),
    ):
        must_catch(check, "youtility_tasks_flow_advance_v1", guard, instead)
    must_catch(
        check, "youtility_tasks_flow_jobs_ended_v1", "coalesce(j.status::text, h.status, 'cancelled')", "'cancelled'"
    )


def test_a_step_that_is_released_is_neither_counted_nor_released_again(
    acme: int, make_task: Task, mail_task: Task
) -> None:
    def check() -> None:
        play = Play()
        flow = Workflow("any")
        flow.step(mail_task, after=flow.group((make_task, {"n": 1}), (make_task, {"n": 2})), join="any")
        with tenant(acme):
            run = flow.start()
        play.take()
        play.end("make")
        ((before,),) = rows("SELECT job_id FROM youtility_tasks_workflowstep WHERE name = 'mail'")
        play.end("make 2")
        assert rows("SELECT job_id, met FROM youtility_tasks_workflowstep WHERE name = 'mail'") == [(before, 1)]
        play.run_all()
        assert jobs_of(run) == 3
        assert run.status == "succeeded"

    must_catch(check, "youtility_tasks_flow_advance_v1", "t.child_id AND c.status = 'blocked'", "t.child_id")


# -- cancel


def test_a_cancelled_run_begins_nothing_more_and_ends_with_what_runs(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, visit_task: Task, play: Play
) -> None:
    flow = Workflow("cancelled")
    running = flow.step(make_task, name="running")
    flow.step(tidy_task, after={running: COMPLETION})
    flow.step(tidy_task, name="compensates", after={running: FAILURE})
    flow.step(mail_task, wait=timedelta(hours=1))
    flow.fan_out(visit_task.using(run_after=datetime.now(UTC) + timedelta(days=1)), range(3), item="site")
    flow.signal("approved")
    flow.sub(inner(make_task, mail_task), after=running)
    with tenant(acme):
        run = flow.start({"who": 1})
    assert play.take() == ["running"]

    with tenant(acme):
        done = run.cancel("not wanted")

    assert done == runs.Cancelled(cancelled=10, aborting=1)
    assert rows("SELECT status FROM procrastinate_jobs") == [("doing",)]
    assert run.status == "running"
    play.end("running", verdict="aborted")
    assert play.take() == []
    assert run.status == "cancelled"
    assert run.row.reason == "not wanted"
    assert set(run.statuses().values()) == {"cancelled", "aborted", "failed"}
    assert rows("SELECT count(*) FROM youtility_tasks_taskworkflow WHERE ended_at IS NULL") == [(0,)]
    assert rows("SELECT act, reason FROM youtility_tasks_taskauditlog WHERE act = 'cancel workflow'") == [
        ("cancel workflow", "not wanted")
    ]
    with (
        tenant(acme),
        pytest.raises(errors.Refused, match=r"cannot be cancelled: it was cancelled\. `retry` runs it again"),
    ):
        run.cancel()


def test_another_tenants_run_is_not_there(
    acme: int, other_tenant: int, make_task: Task, mail_task: Task, tidy_task: Task
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()

    for act in (run.cancel, lambda: run.retry("all"), lambda: run.signal("x")):
        with tenant(other_tenant), pytest.raises(errors.WorkflowNotFound, match=f"{run.id}"):
            act()
    # and the statements themselves, which Python asked first
    for name, more in (
        ("flow_cancel", {"reason": ""}),
        ("flow_retry", {"mode": "all"}),
        ("flow_signal", {"name": "x", "payload": None, "sent_by": ""}),
    ):
        found = queries.fetch(name, {"workflow_id": run.id, "tenant_id": other_tenant, **more})
        assert found in ([], [(None,)])
    assert run.status == "running"


# -- retry


def fail_diamond(run: Any, play: Play) -> None:
    play.take()
    play.fail("a")
    play.run_all()
    assert run.statuses() == {"a": "failed", "b": "skipped", "c": "succeeded", "d": "skipped", "e": "succeeded"}
    assert run.status == "failed"


@pytest.mark.parametrize(
    ("mode", "again", "at_once", "later", "jobs"),
    [
        ("failed", 1, {"a": "todo", "b": "blocked", "c": "succeeded", "d": "blocked", "e": "succeeded"}, {"b", "d"}, 6),
        (
            "failed_downstream",
            5,
            {"a": "todo", "b": "blocked", "c": "blocked", "d": "blocked", "e": "blocked"},
            {"b", "c", "d", "e"},
            8,
        ),
        (
            "all",
            5,
            {"a": "todo", "b": "blocked", "c": "blocked", "d": "blocked", "e": "blocked"},
            {"b", "c", "d", "e"},
            8,
        ),
    ],
)
def test_three_ways_to_retry(
    mode: str, again: int, at_once: dict[str, str], later: set[str], jobs: int,
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play,
) -> None:  # fmt: skip
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    fail_diamond(run, play)

    with tenant(acme):
        assert run.retry(mode, "mended") == again

    assert run.statuses() == at_once
    assert rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'") == [(0,)]
    ran = set()
    while names := play.take():
        ran |= set(names)
        play.run(*names)
    assert ran == {"a", *later}
    assert run.status == "succeeded"
    assert jobs_of(run) == jobs
    assert swept() == (0, 0)


def test_all_runs_again_what_succeeded_too(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    play.run_all()
    with tenant(acme), pytest.raises(errors.Refused, match=r"it has succeeded\. Retry with mode 'all'"):
        run.retry()

    with tenant(acme):
        run.retry("all")
    play.run_all()

    assert run.status == "succeeded"
    assert jobs_of(run) == 10


def test_a_first_step_that_would_be_released_by_any_runs_again_too(acme: int, make_task: Task, play: Play) -> None:
    flow = Workflow("any of none")
    flow.step(make_task, join="any")
    with tenant(acme):
        run = flow.start()
    play.run_all()

    with tenant(acme):
        run.retry("all")
    play.run_all()

    assert run.statuses() == {"make": "succeeded"}
    assert jobs_of(run) == 2


def test_only_items_that_failed_run_again(acme: int, visit_task: Task, mail_task: Task, play: Play) -> None:
    flow = Workflow("items")
    visits = flow.fan_out(visit_task, range(4), item="site")
    flow.step(mail_task, after=visits, to=visits.results)
    with tenant(acme):
        run = flow.start()
    play.take()
    play.fail("visit[1]", "visit[3]")
    play.run_all()
    assert run.status == "failed"

    with tenant(acme):
        assert run.retry() == 2

    assert play.take() == ["visit[1]", "visit[3]"]
    play.run_all()
    assert run.status == "succeeded"
    assert run.step("mail").result == [0, 1, 2, 3]


def test_a_workflow_inside_is_retried_where_it_failed(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("outer")
    below = flow.sub(inner(make_task, mail_task))
    flow.step(tidy_task, after=below)
    with tenant(acme):
        run = flow.start({"who": "ann"})
    play.take()
    play.run("make")
    play.take()
    play.fail("mail")
    assert run.status == "failed"
    sub = TaskWorkflow.objects.get(name="inner")
    with tenant(acme), pytest.raises(errors.Refused, match=f"is a step of workflow {run.id}: retry that one"):
        runs.retry(sub.pk)

    with tenant(acme):
        run.retry()

    assert play.take() == ["mail"]
    play.run_all()
    assert run.status == "succeeded"
    assert set(WorkflowStep.objects.values_list("status", flat=True)) == {"succeeded"}


def test_a_cancelled_run_can_be_retried_and_its_signals_are_sent_anew(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("again")
    yes = flow.signal("approved")
    flow.step(mail_task, after=yes, to=yes.result)
    with tenant(acme):
        run = flow.start()
        run.cancel("later")
        run.retry()
        run.signal("approved", "ann")
    commit()
    play.take()
    play.fail("mail")

    with tenant(acme):
        run.retry()
    play.run_all()
    assert run.step("mail").result == "ann"
    with tenant(acme):
        run.retry("all")
    assert run.statuses()["approved"] == "todo"
    with tenant(acme):
        run.signal("approved", "bob")
    commit()
    play.run_all()
    assert run.step("mail").result == "bob"


def test_a_run_that_runs_is_not_retried(acme: int, make_task: Task, mail_task: Task, tidy_task: Task) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
        with pytest.raises(errors.Refused, match=r"it runs\. Wait for its end"):
            run.retry("all")
        with pytest.raises(errors.Refused, match="failed, failed_downstream, all; given: 'some'"):
            run.retry("some")


def test_a_dead_letter_that_is_retried_by_hand_opens_its_run_again(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    fail_diamond(run, play)

    acts.retry(Job.objects.get(status="failed").pk)

    assert run.status == "running"
    assert run.statuses() == {"a": "todo", "b": "blocked", "c": "succeeded", "d": "blocked", "e": "succeeded"}
    assert swept() == (0, 0)
    play.run_all()
    assert run.status == "succeeded"
    assert jobs_of(run) == 5


def test_a_dead_letter_of_a_cancelled_run_opens_nothing(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
        play.take()
        play.fail("a")
        run.cancel()

    acts.retry(Job.objects.get(status="failed").pk)
    play.run_all()

    assert run.status == "cancelled"
    assert run.statuses()["a"] == "failed"


def test_a_dead_letter_that_is_discarded_changes_nothing_more(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    fail_diamond(run, play)

    acts.discard(Job.objects.get(status="failed").pk)

    assert run.status == "failed"
    with tenant(acme):
        run.retry()
    play.run_all()
    assert run.status == "succeeded"


# -- deadline, prune


def test_a_deadline_ends_the_whole_as_a_failure(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("in time", deadline=timedelta(hours=1))
    flow.chain(make_task, mail_task)
    with tenant(acme):
        run = flow.start()
    play.take()
    assert upkeep() == 0

    pass_time(3_700)
    assert upkeep() == 1

    assert rows("SELECT abort_requested FROM procrastinate_jobs") == [(True,)]
    play.end("make", verdict="aborted")
    assert (run.status, run.row.is_overdue, run.row.reason) == ("failed", True, "its deadline has passed")
    assert upkeep() == 0


def test_what_a_cancel_could_not_reach_upkeep_stops(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = diamond(make_task, mail_task, tidy_task).start()
    execute("UPDATE youtility_tasks_taskworkflow SET cancelled_at = now(), reason = 'gone'")

    assert upkeep() > 0

    assert run.status == "cancelled"
    assert rows("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_old_runs_go_with_all_that_is_theirs(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        old, new, open_run = (diamond(make_task, mail_task, tidy_task).start() for _ in range(3))
        old.cancel()
        new.cancel()
    execute("UPDATE youtility_tasks_taskworkflow SET ended_at = ended_at - interval '400 days' WHERE id = %s", old.id)

    assert sweep.remove_old(datetime.now(UTC), lambda: False) == (1, True)

    assert rows("SELECT DISTINCT workflow_id FROM youtility_tasks_workflowstep ORDER BY 1") == [
        (new.id,),
        (open_run.id,),
    ]
    assert rows("SELECT count(*) FROM youtility_tasks_taskdependency") == [(8,)]
    assert connection.in_atomic_block
