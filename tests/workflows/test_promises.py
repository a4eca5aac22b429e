"""What a workflow promises where something else is between: a dead letter that is retried by itself, and definitions that nobody can mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.desk import rows
from tests.integration.mutants import must_catch
from tests.workflows.play import Play
from tests.workflows.test_spreading import pass_time, upkeep
from youtility_tasks import Task, Workflow, acts, errors, tenant
from youtility_tasks.models import Job
from youtility_tasks.workflows import definition, runs, templates

pytestmark = pytest.mark.django_db

RETRIED, RETRY = "youtility_tasks_step_retried_v1", "youtility_tasks_flow_retry_v1"


def dead_letter() -> int:
    return int(Job.objects.filter(status="failed").order_by("pk").values_list("pk", flat=True)[0])


# -- dead letters of steps


def test_a_letter_opens_its_run_with_time_until_a_deadline(
    acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("late", deadline=timedelta(hours=1))
    made = flow.step(make_task)
    flow.step(mail_task, after=made)
    with tenant(acme):
        run = flow.start()
    play.take()
    play.fail("make")
    pass_time(7200)
    letter = dead_letter()

    def check() -> None:
        with tenant(acme):
            acts.retry(letter)
        assert upkeep() == 0
        play.run_all()
        assert run.status == "succeeded"

    must_catch(check, RETRIED, "ELSE clock_timestamp() +", "ELSE w.deadline_at + 0 *")


def test_a_letter_in_a_cancelled_part_of_a_run_opens_nothing_and_runs(
    acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    inner, flow = Workflow("inner"), Workflow("outer")
    inner.step(make_task)
    inner.step(mail_task, name="long")
    flow.sub(inner, name="part")
    flow.step(mail_task, name="beside")
    with tenant(acme):
        run = flow.start()
        play.take()
        play.fail("make")
        ((inner_id,),) = rows("SELECT id FROM youtility_tasks_taskworkflow WHERE name = 'inner'")
        runs.cancel(inner_id)
        play.end("long", verdict="aborted")
    letter = dead_letter()

    def check() -> None:
        with tenant(acme):
            acts.retry(letter)
        assert upkeep() == 0, "nobody takes it off the queue again"
        assert rows("SELECT status FROM youtility_tasks_taskworkflow WHERE id = %s", inner_id) == [("cancelled",)]
        assert "make" in play.take()

    must_catch(check, RETRIED, "w.cancelled_at IS NOT NULL", "false")
    assert run.status == "running"


def test_a_run_is_not_retried_beside_its_job_that_was_retried_by_itself(
    acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("two")
    flow.step(make_task)
    flow.step(mail_task)
    with tenant(acme):
        run = flow.start()
        play.take()
        play.fail("make")
        run.cancel()
        play.end("mail", verdict="aborted")
        acts.retry(dead_letter())

    def check() -> None:
        said = ""
        try:
            with tenant(acme):
                run.retry()
        except errors.Refused as refused:
            said = str(refused)
        assert "retried by itself" in said
        assert rows("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'make'") == [(1,)]

    must_catch(check, RETRY, "j.status IN ('todo', 'doing')) THEN", "false) THEN")
    play.held.update({"make": play.desk.take()})
    play.end("make")
    with tenant(acme):
        assert run.retry() == 2
    play.run_all()
    assert run.status == "succeeded"


# -- what is too much, or nothing that could be meant


def test_a_list_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch, visit_task: Task) -> None:
    monkeypatch.setattr(definition, "MOST_STEPS", 100)

    def sites() -> Iterator[int]:
        yield from range(101)
        pytest.fail("it reads on")

    with pytest.raises(errors.WrongWorkflow, match="more than 100 elements"):
        Workflow("f").fan_out(visit_task, sites(), item="site")


@pytest.mark.parametrize("over", [None, 5, {}, {"a": 1}, "abc", b"abc"])
def test_what_is_no_list_is_not_fanned_out_over(visit_task: Task, over: Any) -> None:
    with pytest.raises(errors.WrongWorkflow, match="right is a list, or a step's result"):
        Workflow("f").fan_out(visit_task, over, item="site")


def test_steps_of_steps_are_counted_before_they_are_written(acme: int, make_task: Task) -> None:
    flow = Workflow("0")
    flow.step(make_task)
    for n in range(1, 25):  # 2 ** 24 steps, of 25 definitions
        outer = Workflow(str(n))
        outer.sub(flow, name="a")
        outer.sub(flow, name="b")
        flow = outer
    with tenant(acme), pytest.raises(errors.WrongWorkflow, match="right are at most 100000"):
        flow.start()
    with pytest.raises(errors.WrongWorkflow, match="right are at most 100000"):
        templates.as_data(flow)


def test_workflows_inside_one_another_have_an_end(acme: int, make_task: Task) -> None:
    def nested(levels: int) -> Workflow:
        flow = Workflow("0")
        flow.step(make_task)
        for n in range(1, levels):
            outer = Workflow(str(n))
            outer.sub(flow, name="a")
            flow = outer
        return flow

    with tenant(acme):
        assert nested(definition.MOST_LEVELS).start().status == "running"
        with pytest.raises(errors.WrongWorkflow, match="more than 30 workflows one inside another"):
            nested(2_000).start()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda flow, task: flow.step(task, after=5),
        lambda flow, task: flow.step(task, args=5),
        lambda flow, task: flow.fan_out(task, [1], item=5),
        lambda flow, task: flow.fan_out(task, [1], item=""),
        lambda flow, task: flow.chain((task,)),
        lambda flow, task: flow.chain((task, 5)),
        lambda flow, task: flow.sub(Workflow("inner"), returns=[]),
        lambda flow, task: (flow.step(task), flow.start(context=5)),
        lambda flow, task: (flow.step(task), flow.start(context=[1])),
    ],
)
def test_a_wrong_call_is_a_typed_error(acme: int, make_task: Task, wrong: Callable[[Workflow, Task], object]) -> None:
    with tenant(acme), pytest.raises(errors.WrongWorkflow, match=r"right is|A call is a task"):
        wrong(Workflow("f"), make_task)


@pytest.mark.parametrize(
    "step",
    [
        {"kind": []}, {"kind": {}}, {"name": ["a"], "task": "make"}, {"name": {"a": 1}, "task": "make"}, {"task": ["make"]},
        {"task": "make", "after": [["a"]]}, {"task": "make", "after": [{}]}, {"task": "make", "queue": []},
        {"kind": "sub", "name": "s", "workflow": {"name": "g", "steps": [{"task": "make"}]}, "returns": []},
        {"kind": "fan_out", "task": "make", "over": [1], "item": []},
        {"kind": "fan_out", "task": "make", "over": {"$ref": "context"}, "item": {}},
    ],
)  # fmt: skip
def test_a_definition_that_is_no_definition_is_a_typed_error(make_task: Task, step: dict[str, Any]) -> None:
    with pytest.raises(errors.WrongWorkflow, match="right is"):
        templates.from_data({"name": "f", "steps": [step]})


def test_a_definition_without_bottom_is_a_typed_error(make_task: Task) -> None:
    data: dict[str, Any] = {"name": "g", "steps": [{"task": "make"}]}
    for _ in range(2_000):
        data = {"name": "g", "steps": [{"kind": "sub", "name": "s", "workflow": data}]}
    with pytest.raises(errors.TooDeep):
        templates.from_data(data)


@pytest.mark.parametrize("name", ["a\x00", "\ud800", "nobody", None])
def test_what_nothing_is_called_is_a_typed_error(acme: int, make_task: Task, name: Any) -> None:
    flow = Workflow("f")
    flow.step(make_task)
    flow.signal("approved")
    with tenant(acme):
        run = flow.start()
        with pytest.raises(errors.SignalRefused, match="it has 'approved'"):
            run.signal(name)
        with pytest.raises(errors.WorkflowNotFound):
            runs.Run.by_key("f", name)
        with pytest.raises(errors.UnknownTemplate):
            templates.load(name)
