"""Definitions as data: checked like those that are said in Python, stored by version, and a run keeps the one it began with."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.desk import rows
from tests.workflows.play import Play
from youtility_tasks import COMPLETION, FAILURE, Task, Workflow, errors, tenant
from youtility_tasks.workflows import templates

pytestmark = pytest.mark.django_db


@pytest.fixture
def whole(make_task: Task, mail_task: Task, tidy_task: Task, visit_task: Task) -> Workflow:
    """One step of every kind, with all that can be said of it."""
    inner = Workflow("inner")
    inner.step(make_task, n=3)
    flow = Workflow("whole", deadline=timedelta(hours=3))
    made = flow.step(make_task.using(priority=2), n=1, of=flow.context["of"].or_else([1]))
    yes = flow.signal("approved", after=made, timeout=timedelta(days=1))
    visits = flow.fan_out(visit_task, made.result["of"], after=[made], item="site", round=4)
    flow.fan_out(visit_task, [1, 2], item="site", name="twice")
    below = flow.sub(inner, after={yes: COMPLETION}, returns="make", when=flow.context["go"].or_else(1).equals(1))
    flow.step(
        mail_task,
        after={yes: FAILURE, visits: COMPLETION},
        join="any",
        wait=timedelta(minutes=5),
        to=flow.context["to"].or_else(None),
    )
    flow.step(tidy_task, after={below: COMPLETION}, error=below.error, status=below.status)
    return flow


def test_a_definition_goes_to_data_and_comes_back_the_same(whole: Workflow) -> None:
    data = templates.as_data(whole)

    again = templates.from_data(json.loads(json.dumps(data)))

    assert templates.as_data(again) == data
    assert {name: dict(each.after) for name, each in again.steps.items()} == {
        name: dict(each.after) for name, each in whole.steps.items()
    }
    assert again.steps["make"].task is not None and again.steps["make"].task.priority == 2


def test_each_change_is_a_version_and_a_run_keeps_its_own(
    acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    first = Workflow("steps")
    first.step(make_task)
    second = Workflow("steps")
    second.chain(make_task, mail_task)
    with tenant(acme):
        assert (templates.save(first), templates.save(first)) == (1, 1)
        running = templates.load("steps").start()
        assert templates.save(second) == 2
        newer, older = templates.load("steps").start(), templates.load("steps", 1).start()
    for _ in range(3):
        for job in play.desk.claim():
            play.desk.finish(job, "succeeded")

    assert set(running.statuses()) == set(older.statuses()) == {"make"}
    assert set(newer.statuses()) == {"make", "mail"}
    assert rows("SELECT template_name, template_version FROM youtility_tasks_taskworkflow ORDER BY id") == [
        ("steps", 1),
        ("steps", 2),
        ("steps", 1),
    ]


def test_a_tenants_own_goes_before_everybodys_and_anothers_is_not_there(
    acme: int, other_tenant: int, make_task: Task, mail_task: Task
) -> None:
    everybodys, own = Workflow("shared"), Workflow("shared")
    everybodys.step(make_task)
    own.step(mail_task)
    templates.save(everybodys)
    with tenant(acme):
        templates.save(own)
        templates.save(own, "mine")
        assert list(templates.load("shared").steps) == ["mail"]
        assert [each["name"] for each in templates.newest()] == ["mine", "shared", "shared"]
    with tenant(other_tenant):
        assert list(templates.load("shared").steps) == ["make"]
        with pytest.raises(errors.UnknownTemplate, match="no workflow template 'mine' here"):
            templates.load("mine")
        with pytest.raises(errors.UnknownTemplate, match="'shared' with version 7"):
            templates.load("shared", 7)


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (None, errors.WrongWorkflow, "The definition is None; right is an object with"),
        ({"name": "w", "steps": [], "color": 1}, errors.WrongWorkflow, "has 'color', which nobody knows"),
        ({"name": "w"}, errors.WrongWorkflow, "right is a list of steps"),
        ({"name": "w", "steps": []}, errors.WrongWorkflow, "has no step"),
        ({"name": "w", "steps": [{"kind": "loop"}]}, errors.WrongWorkflow, "is of kind 'loop'; right is one of"),
        ({"name": "w", "steps": [{"task": "nobody"}]}, errors.UnknownTask, "No task is called 'nobody'"),
        ({"name": "w", "steps": [{"task": "make", "args": {"m": 1}}]}, errors.WrongArguments, "m"),
        ({"name": "w", "steps": [{"task": "make", "args": 5}]}, errors.WrongWorkflow, "args=5; right is an object"),
        ({"name": "w", "steps": [{"task": "make", "after": {"mak": "success"}}]}, errors.UnknownStep, "names 'mak'"),
        ({"name": "w", "steps": [{"task": "make", "name": "a"}, {"task": "make", "after": {"a": "maybe"}}]}, errors.WrongWorkflow, "on 'maybe'"),
        ({"name": "w", "steps": [{"task": "make", "name": "a", "after": ["b"]}, {"task": "make", "name": "b", "after": ["a"]}]}, errors.Circle, "'a'"),
        ({"name": "w", "steps": [{"task": "make"}, {"task": "make"}]}, errors.WrongWorkflow, "two steps called 'make'"),
        ({"name": "w", "steps": [{"task": "make", "wait_s": -1}]}, errors.WrongWorkflow, "wait_s is -1"),
        ({"name": "w", "steps": [{"task": "make", "args": {"of": {"$ref": "results"}}}]}, errors.WrongWorkflow, "is no reference"),
        ({"name": "w", "steps": [{"task": "make", "when": 5}]}, errors.WrongWorkflow, "right is a condition"),
        ({"name": "w", "steps": [{"kind": "fan_out", "task": "make", "over": 5}]}, errors.WrongWorkflow, "a list or a reference"),
        ({"name": "w", "steps": [{"kind": "sub", "name": "s", "workflow": None}]}, errors.WrongWorkflow, "right is an object"),
        ({"name": "w", "deadline_s": "soon", "steps": [{"task": "make"}]}, errors.WrongWorkflow, "deadline_s is 'soon'"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_meant_is_refused_with_its_place(
    data: Any, error: type[Exception], match: str, make_task: Task
) -> None:
    with pytest.raises(error, match=match):
        templates.from_data(data)
