"""Fan-out over a list or a result, fan-in, sub-workflows, timers and signals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.desk import execute, rows
from tests.workflows.play import Play, jobs_of
from youtility_tasks import COMPLETION, FAILURE, SUCCESS, Task, Workflow, errors, tenant
from youtility_tasks.models import Job, WorkflowStep
from youtility_tasks.workflows import sweep

pytestmark = pytest.mark.django_db


def pass_time(seconds: float) -> None:
    """Everything that waits for a time comes so much nearer."""
    execute("UPDATE youtility_tasks_taskworkflow SET deadline_at = deadline_at - %s * interval '1 second'", seconds)
    execute("UPDATE youtility_tasks_workflowstep SET timeout_at = timeout_at - %s * interval '1 second'", seconds)
    execute("UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - %s * interval '1 second'", seconds)


def upkeep() -> int:
    return sweep.end_overdue(None, lambda: False)[0]  # type: ignore[arg-type]


# -- fan-out


def test_a_list_is_a_job_each_and_their_results_come_back_in_order(
    acme: int, visit_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("sites")
    visits = flow.fan_out(visit_task, [5, 3, 9], item="site", round=2)
    flow.step(mail_task, after=visits, report=visits.results, to=visits.results[1])
    with tenant(acme):
        run = flow.start()

    assert play.take() == ["visit[0]", "visit[1]", "visit[2]"]
    assert [job.args["site"] for job in Job.objects.order_by("pk")] == [5, 3, 9]
    assert {job.args["round"] for job in Job.objects.all()} == {2}
    play.run("visit[2]", "visit[0]")
    assert play.take() == ["visit[1]"]
    play.run("visit[1]")
    play.take()
    (told,) = play.run("mail")

    assert told["result"] == 3
    assert run.status == "succeeded"
    assert run.step("visit").result == {"items": 3, "failed": 0}


def test_a_result_is_fanned_out_once_it_is_there(
    acme: int, make_task: Task, visit_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("made sites")
    made = flow.step(make_task, of=[{"site": 1}, {"site": 2, "round": 4}])
    visits = flow.fan_out(visit_task, made.result["of"], after=made)
    flow.step(tidy_task, after={visits: COMPLETION}, status=visits.status)
    with tenant(acme):
        run = flow.start()

    play.run_all()

    assert run.statuses() == {"make": "succeeded", "visit": "succeeded", "tidy": "succeeded"}
    assert [each.result for each in WorkflowStep.objects.filter(kind="item").order_by("item_index")] == [1, 2]


def test_an_item_that_fails_fails_the_fan_out_after_the_last_has_ended(
    acme: int, visit_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("one fails")
    visits = flow.fan_out(visit_task, [1, 2], item="site")
    flow.step(mail_task, after=visits)
    flow.step(tidy_task, after={visits: FAILURE}, error=visits.results.or_else(None), status=visits.status)
    with tenant(acme):
        run = flow.start()
    play.take()

    play.fail("visit[0]")
    assert play.take() == ["visit[1]"]
    play.run("visit[1]")

    assert run.step("visit").error_message == "1 of 2 items did not succeed."
    assert play.take() == ["tidy"]
    assert run.statuses()["mail"] == "skipped"


@pytest.mark.parametrize("given", [3, "text", {"site": 1}, None])
def test_what_is_no_list_fails_the_step_and_says_so(
    given: Any, acme: int, make_task: Task, visit_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("no list")
    made = flow.step(make_task, of=given)
    visits = flow.fan_out(visit_task, made.result["of"], after=made, item="site")
    flow.step(tidy_task, after={visits: FAILURE})
    with tenant(acme):
        run = flow.start()
    play.take()
    play.run("make")

    assert play.take() == ["tidy"]
    step = run.step("visit")
    assert (step.status, step.error_class) == ("failed", "youtility_tasks.errors.ResultMissing")
    assert "fans out over what is no list" in step.error_message


@pytest.mark.parametrize("over", ["list", "result", "context", "default"])
def test_a_list_without_elements_is_a_success(
    over: str, acme: int, make_task: Task, visit_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("empty")
    made = flow.step(make_task, of=[])
    lists = {
        "list": [],
        "result": made.result["of"],
        "context": flow.context["sites"],
        "default": made.result["nothing"].or_else([]),
    }
    visits = flow.fan_out(visit_task, lists[over], after=made, item="site")
    flow.step(mail_task, after=visits, report=visits.results)
    with tenant(acme):
        run = flow.start({"sites": []})

    play.run_all()

    assert run.status == "succeeded"
    assert jobs_of(run) == 2


def test_ten_thousand_items_cost_two_statements_whatever_stands_beside(
    acme: int, visit_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("many")
    visits = flow.fan_out(visit_task, range(10_000), item="site")
    flow.step(mail_task, after=visits)
    with tenant(acme):
        run = flow.start()

    assert rows("SELECT count(*), count(DISTINCT id) FROM procrastinate_jobs WHERE status = 'todo'") == [
        (10_000, 10_000)
    ]
    assert run.row.open_count == 10_002
    while names := play.take():
        play.end(*names)
    assert run.status == "succeeded"
    assert jobs_of(run) == 10_001


# -- sub-workflows


def inner(make_task: Task, mail_task: Task) -> Workflow:
    flow = Workflow("inner")
    made = flow.step(make_task, n=5, of=flow.context["who"])
    flow.step(mail_task, after=made, to=made.result["of"])
    return flow


def test_a_workflow_is_a_step_and_its_result_is_that_of_the_step_it_returns(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("outer")
    first = flow.step(make_task)
    below = flow.sub(inner(make_task, mail_task), after=first, returns="mail")
    flow.step(tidy_task, after=below, status=below.result)
    with tenant(acme):
        run = flow.start({"who": "ann"})

    assert play.take() == ["make"]
    assert rows("SELECT name, status FROM youtility_tasks_taskworkflow ORDER BY id") == [
        ("outer", "running"),
        ("inner", "blocked"),
    ]
    play.run_all()

    assert run.statuses() == {"make": "succeeded", "inner": "succeeded", "tidy": "succeeded"}
    assert run.step("tidy").result == "ann"
    assert {status for _, status in rows("SELECT name, status FROM youtility_tasks_taskworkflow")} == {"succeeded"}


def test_a_workflow_that_fails_inside_another_fails_its_step(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("outer")
    deeper = Workflow("middle")
    deeper.sub(inner(make_task, mail_task))
    below = flow.sub(deeper)
    flow.step(tidy_task, after={below: FAILURE}, status=below.status)
    with tenant(acme):
        run = flow.start({"who": 1})
    play.take()

    play.fail("make")

    assert play.take() == ["tidy"]
    assert run.statuses()["middle"] == "failed"


def test_a_workflow_that_is_skipped_is_skipped_with_all_in_it(
    acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("outer")
    deeper = Workflow("middle")
    deeper.sub(inner(make_task, mail_task))
    first = flow.step(make_task)
    flow.sub(deeper, after=first)
    with tenant(acme):
        run = flow.start({"who": 1})
    play.take()

    play.fail("make")

    assert play.take() == []
    assert run.status == "failed"
    assert rows("SELECT status, count(*) FROM youtility_tasks_taskworkflow GROUP BY 1 ORDER BY 1") == [
        ("failed", 1),
        ("skipped", 2),
    ]
    assert rows("SELECT status, count(*) FROM youtility_tasks_workflowstep GROUP BY 1 ORDER BY 1") == [
        ("failed", 1),
        ("skipped", 4),
    ]


# -- timers


def test_a_step_waits_for_its_time(acme: int, make_task: Task, mail_task: Task, play: Play) -> None:
    flow = Workflow("later")
    made = flow.step(make_task)
    flow.step(mail_task, after=made, wait=timedelta(hours=2))
    with tenant(acme):
        run = flow.start()
    play.take()
    play.run("make")

    assert play.take() == []
    ((in_s,),) = rows("SELECT extract(epoch FROM scheduled_at - now()) FROM procrastinate_jobs")
    assert 7100 < in_s < 7300
    pass_time(7200)
    assert play.take() == ["mail"]
    play.run("mail")
    assert run.status == "succeeded"


# -- signals


def approved(make_task: Task, mail_task: Task, tidy_task: Task, **more: Any) -> Workflow:
    flow = Workflow("approval")
    made = flow.step(make_task)
    yes = flow.signal("approved", after=made, **more)
    flow.step(mail_task, after=yes, to=yes.result["by"])
    flow.step(tidy_task, after={yes: FAILURE}, status=yes.status)
    return flow


def commit() -> None:
    """What happens as the transaction commits, in the middle of a test's own."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("SET CONSTRAINTS ALL DEFERRED")


def test_a_signal_lets_go_on_with_its_payload(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = approved(make_task, mail_task, tidy_task).start()
    play.run_all()
    assert run.statuses() == {"make": "succeeded", "approved": "todo", "mail": "blocked", "tidy": "blocked"}

    with tenant(acme):
        run.signal("approved", {"by": "ann"})
    commit()
    play.run_all()

    assert run.step("mail").result == "ann"
    assert run.status == "succeeded"
    assert rows("SELECT act, target, tenant_id FROM youtility_tasks_taskauditlog WHERE act = 'signal workflow'") == [
        ("signal workflow", f"workflow {run.id} (approval)", acme)
    ]


def test_a_signal_that_comes_before_its_turn_is_kept(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = approved(make_task, mail_task, tidy_task).start()
        run.signal("approved", {"by": "bob"})
    commit()
    assert run.statuses()["approved"] == "blocked"

    play.run_all()

    assert run.step("mail").result == "bob"


def test_a_signal_is_refused_with_what_would_be_right(
    acme: int, other_tenant: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = approved(make_task, mail_task, tidy_task).start()
        with pytest.raises(errors.SignalRefused, match="'aproved' is not waited for; it has 'approved'"):
            run.signal("aproved")
        with pytest.raises(errors.NotJson, match="payload"):
            run.signal("approved", object())
        run.signal("approved", {"by": "ann"})
        with pytest.raises(errors.SignalRefused, match="was sent already; the first counts"):
            run.signal("approved", {"by": "bob"})
    with tenant(other_tenant), pytest.raises(errors.WorkflowNotFound, match=str(run.id)):
        run.signal("approved")


def test_a_signal_that_nobody_sends_fails_its_step_in_time(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    with tenant(acme):
        run = approved(make_task, mail_task, tidy_task, timeout=timedelta(days=1)).start()
    play.run_all()
    assert upkeep() == 0

    pass_time(86_500)
    assert upkeep() == 1

    assert play.take() == ["tidy"]
    assert run.statuses()["mail"] == "skipped"
    with tenant(acme), pytest.raises(errors.SignalRefused, match="is not waited for any more"):
        run.signal("approved")


# -- references


def test_results_are_looked_up_and_never_copied_into_arguments(
    acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("by reference")
    made = flow.step(make_task, of="x" * 100_000)
    flow.step(mail_task, after=made, report=made.result, to=made.result["of"])
    with tenant(acme):
        run = flow.start()
    play.run_all()

    assert run.step("mail").result == "x" * 100_000
    ((size,),) = rows("SELECT max(length(args::text)) FROM youtility_tasks_history WHERE task_name = 'mail'")
    assert size < 100


@pytest.mark.parametrize(
    ("take", "says"),
    [
        (lambda made: made.result["nothing"], "has no ['nothing']"),
        (lambda made: made.result["of"]["deep"], "has no ['of']['deep']"),
        (lambda made: made.result[0], "has no [0]"),
    ],
)
def test_a_part_that_is_not_there_is_bad_input_that_names_it(
    take: Any, says: str, acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("missing part")
    made = flow.step(make_task, of=[1])
    flow.step(mail_task, after=made, to=take(made))
    with tenant(acme):
        run = flow.start()
    play.take()
    play.run("make")
    play.take()
    (told,) = play.run("mail")

    assert told["error_class"] == "youtility_tasks.errors.ResultMissing"
    assert told["error_message"].startswith("Step 'mail': the result of 'make'") and says in told["error_message"]
    assert run.statuses()["mail"] == "failed"


def test_a_result_that_was_too_large_is_missing_and_says_how_large(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("too large")
    made = flow.step(make_task)
    flow.step(mail_task, after=made, to=made.result)
    flow.step(tidy_task, after=made, status=made.result.or_else("none"))
    with tenant(acme):
        run = flow.start()
    play.take()
    play.end("make", result={"_dropped": "the result has 300000 bytes, more than 262144"})
    play.take()
    told, _ = play.run("mail", "tidy")

    assert "300000 bytes" in told["error_message"] and "return its id" in told["error_message"]
    assert run.step("tidy").result == "none"


def test_of_a_step_that_failed_the_default_its_status_and_its_error_are_there(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("of a failure")
    made = flow.step(make_task)
    mailed = flow.step(mail_task, after=made)
    flow.step(
        make_task,
        name="told",
        after={made: COMPLETION, mailed: COMPLETION},
        n=made.result["n"].or_else(-1),
        of=made.error,
    )
    flow.step(tidy_task, after={mailed: COMPLETION}, status=mailed.status, error=mailed.error)
    with tenant(acme):
        run = flow.start()
    play.take()
    play.fail("make")
    play.take()
    play.run("told", "tidy")

    assert run.step("told").result == {
        "n": -1,
        "of": {"class": "builtins.ValueError", "message": "no", "traceback": ""},
    }
    assert run.step("tidy").result == "skipped"


def test_another_tenant_sees_no_result(
    acme: int, other_tenant: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("mine")
    flow.step(make_task, of="secret")
    with tenant(acme):
        run = flow.start()
    play.run_all()

    with tenant(other_tenant), pytest.raises(errors.WorkflowNotFound):
        run.statuses()


def test_the_context_is_the_runs_own(acme: int, make_task: Task, mail_task: Task, play: Play) -> None:
    flow = Workflow("context")
    flow.step(mail_task, to=flow.context["ticket"]["id"], report=flow.context["none"].or_else(1))
    with tenant(acme):
        one, two = flow.start({"ticket": {"id": 1}}), flow.start({"ticket": {"id": 2}})
    for job in play.desk.claim():
        play.held[str(job.args["$flow"][1])] = job
    play.run(str(one.id), str(two.id))

    assert (one.step("mail").result, two.step("mail").result) == (1, 2)


def test_edges_of_success_are_what_a_list_means(acme: int, make_task: Task) -> None:
    flow = Workflow("kinds")
    made = flow.step(make_task)
    flow.step(make_task, name="b", after=[made])
    flow.step(make_task, name="c", after={made: SUCCESS})

    assert flow.steps["b"].after == flow.steps["c"].after
