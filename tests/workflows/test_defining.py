"""What cannot be meant is refused where it is said, with what was given, what is right and what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest

from tests.integration.desk import execute, rows
from youtility_tasks import FAILURE, SUCCESS, Secret, Task, Workflow, errors, tenant
from youtility_tasks.models import Tenant

pytestmark = pytest.mark.django_db


def with_token(*, token: Annotated[str, Secret]) -> None:
    return None


def guarded(*, key: str, n: int = 0) -> None:
    return None


def nothing_written() -> None:
    assert rows("SELECT count(*) FROM youtility_tasks_taskworkflow") == [(0,)]
    assert rows("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_a_step_of_another_workflow_is_named(make_task: Task) -> None:
    other, flow = Workflow("theirs"), Workflow("mine")
    made = other.step(make_task)

    with pytest.raises(errors.UnknownStep, match="'make of theirs'"):
        flow.step(make_task, after=made)
    flow.step(make_task, of=made.result)
    with pytest.raises(errors.UnknownStep, match="'make of theirs'"):
        flow.check()


@pytest.mark.parametrize(
    ("said", "error", "match"),
    [
        (lambda f, t: f.step(t, wrong=1), errors.WrongArguments, "wrong"),
        (lambda f, t: f.step(t, of=object()), errors.NotJson, "args.of"),
        (lambda f, t: f.step(t, of=f.step(t).result.or_else(float("nan"))), errors.NotJson, "the default of of"),
        (lambda f, t: f.step(t, of=[f.step(t).result]), errors.NotJson, "Reference"),
        (lambda f, t: f.step("make"), errors.WrongWorkflow, "is made of a task; given: 'make'"),
        (lambda f, t: f.step(t.using(unique="one")), errors.WrongOption, "unique key"),
        (lambda f, t: f.step(t, name=""), errors.WrongWorkflow, "1 to 200 printable characters"),
        (lambda f, t: (f.step(t, name="a"), f.step(t, name="a")), errors.WrongWorkflow, "two steps called 'a'"),
        (lambda f, t: f.step(t, join="some"), errors.WrongWorkflow, "join='some'; right is 'all' or 'any'"),
        (lambda f, t: f.step(t, after="make"), errors.WrongWorkflow, "right is a step"),
        (
            lambda f, t: f.step(t, after={f.step(t): "sometimes"}),
            errors.WrongWorkflow,
            "right is SUCCESS, COMPLETION or FAILURE",
        ),
        (lambda f, t: f.step(t, wait=5), errors.WrongWorkflow, "right is a timedelta"),
        (lambda f, t: f.step(t, wait=timedelta(0)), errors.WrongWorkflow, "right is a timedelta"),
        (lambda f, t: f.fan_out(t, [1, 2]), errors.WrongWorkflow, "element 0 is 1; right is an object of arguments"),
        (lambda f, t: f.fan_out(t, [{"n": 1}, {"m": 1}]), errors.WrongArguments, "m"),
        (lambda f, t: f.fan_out(t, f.step(t).result, item="nobody"), errors.WrongArguments, "nobody"),
        (lambda f, t: f.step(t).results, errors.WrongWorkflow, "is no fan-out"),
        (lambda f, t: f.sub("other"), errors.WrongWorkflow, "`sub` takes a Workflow"),
        (lambda f, t: f.sub(f), errors.WrongWorkflow, "cannot be a step of itself"),
        (lambda f, t: f.signal("s", timeout=timedelta(days=-1)), errors.WrongWorkflow, "right is a timedelta"),
        (lambda f, t: Workflow("w", deadline=1), errors.WrongWorkflow, "right is a timedelta"),  # type: ignore[arg-type]
    ],
)
def test_a_mistake_is_refused_where_it_is_made(
    said: Callable[[Workflow, Task], Any], error: type[Exception], match: str, acme: int, make_task: Task
) -> None:
    with tenant(acme), pytest.raises(error, match=match):
        said(Workflow("mistaken"), make_task)


def test_a_marked_argument_is_refused(declare: Callable[..., Task]) -> None:
    with pytest.raises(errors.WrongOption, match="marked Secret or Pii"):
        Workflow("secrets").step(declare(with_token), token="x")


def test_a_result_that_may_not_be_there_is_refused_at_start(acme: int, make_task: Task, mail_task: Task) -> None:
    flow = Workflow("unsure")
    made = flow.step(make_task)
    flow.step(mail_task, after={made: FAILURE}, report=made.result)

    with tenant(acme), pytest.raises(errors.UnsureResult, match="'mail' takes the result of 'make'"):
        flow.start()
    nothing_written()


def test_without_a_tenant_or_for_one_that_left_nothing_is_written(acme: int, make_task: Task) -> None:
    flow = Workflow("whose")
    flow.step(make_task)
    Tenant.objects.filter(pk=acme).update(is_active=False)

    with pytest.raises(errors.NoTenant):
        flow.start()
    with tenant(acme), pytest.raises(errors.UnknownTenant, match="tenant 7"):
        flow.start()
    with tenant(99), pytest.raises(errors.UnknownTenant, match="tenant 99"):
        flow.start()
    nothing_written()


def test_a_context_that_is_no_json_is_refused(acme: int, make_task: Task) -> None:
    flow = Workflow("context")
    flow.step(make_task)

    with tenant(acme), pytest.raises(errors.NotJson, match=r"context\.a"):
        flow.start({"a": {1, 2}})
    nothing_written()


def test_a_lock_that_needs_what_is_not_known_is_refused(acme: int, declare: Callable[..., Task]) -> None:
    task = declare(guarded, lock=lambda args: args["key"])
    flow = Workflow("locks")
    made = flow.step(task, key="a")
    flow.step(task, after={made: SUCCESS}, key=made.result)

    with tenant(acme), pytest.raises(errors.WrongArguments, match="makes its lock from its arguments, and key"):
        flow.start()
    with pytest.raises(errors.WrongWorkflow, match="cannot fan out over a result"):
        flow.fan_out(task, made.result, item="key", after=made)


@pytest.mark.parametrize(
    "statement",
    [
        # an edge between two tenants, one to a step of another run, and a step whose run is another tenant's
        "INSERT INTO youtility_tasks_taskdependency (tenant_id, workflow_id, parent_id, child_id, kind) VALUES (7, {mine}, {step}, {theirs}, 'success')",
        "INSERT INTO youtility_tasks_taskdependency (tenant_id, workflow_id, parent_id, child_id, kind) VALUES (8, {other}, {step}, {theirs}, 'success')",
        "INSERT INTO youtility_tasks_taskdependency (tenant_id, workflow_id, parent_id, child_id, kind) VALUES (7, {mine}, {step}, {second}, 'success')",
        "INSERT INTO youtility_tasks_workflowstep (tenant_id, workflow_id, name, kind, status) VALUES (7, {other}, 'x', 'task', 'blocked')",
        "INSERT INTO youtility_tasks_workflowsignal (tenant_id, workflow_id, name) VALUES (7, {other}, 'x')",
        "UPDATE youtility_tasks_taskworkflow SET root_id = {other} WHERE id = {mine}",
    ],
)
def test_the_database_itself_refuses_edges_that_cross_runs_or_tenants(
    statement: str, acme: int, other_tenant: int, make_task: Task
) -> None:
    flow = Workflow("apart")
    flow.step(make_task)
    with tenant(acme):
        mine, second = flow.start(), flow.start()
    with tenant(other_tenant):
        theirs = flow.start()
    names = {
        "mine": mine.id,
        "other": theirs.id,
        "step": mine.step("make").pk,
        "second": second.step("make").pk,
        "theirs": theirs.step("make").pk,
    }

    with pytest.raises(Exception, match=r"foreign key constraint \"yt_"):
        execute(statement.format(**names))
        execute("SET CONSTRAINTS ALL IMMEDIATE")


class Asked(dict[str, Any]):
    """Counts how often it is asked whether it has a name."""

    times = 0

    def __contains__(self, name: object) -> bool:
        Asked.times += 1
        return super().__contains__(name)


def test_steps_of_one_task_are_numbered_without_trying_every_number_again(make_task: Task) -> None:
    flow = Workflow("many")
    flow.steps = Asked()
    flow.step(make_task, name="make 3")

    Asked.times = 0
    flow.group(*[make_task] * 500)

    assert list(flow.steps)[:5] == ["make 3", "make", "make 2", "make 4", "make 5"]
    assert Asked.times <= 3 * 500


def test_a_step_that_was_refused_leaves_its_number_to_the_next(make_task: Task) -> None:
    flow = Workflow("two")
    flow.step(make_task)
    with pytest.raises(errors.WrongArguments):
        flow.step(make_task, nonsense=1)

    assert flow.step(make_task).name == "make 2"
