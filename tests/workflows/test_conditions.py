"""Steps with a condition, and runs with a key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.desk import rows
from tests.integration.mutants import must_catch
from tests.workflows.play import Play
from youtility_tasks import COMPLETION, FAILURE, Run, Task, Workflow, errors, tenant

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("of", "mailed"), [("send", "succeeded"), ("keep", "skipped"), (None, "skipped")])
def test_a_step_whose_condition_does_not_hold_is_skipped(
    of: Any, mailed: str, acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("conditions")
    made = flow.step(make_task, of=of)
    mail = flow.step(mail_task, after=made, when=made.result["of"].equals("send"))
    flow.step(tidy_task, after={made: COMPLETION, mail: COMPLETION}, status=mail.status)
    with tenant(acme):
        run = flow.start()

    play.run_all()

    assert run.statuses() == {"make": "succeeded", "mail": mailed, "tidy": "succeeded"}
    assert run.step("tidy").result == mailed
    assert run.status == "succeeded"


@pytest.mark.parametrize(
    ("say", "holds"),
    [
        (lambda f, made: f.context["big"].equals(True), True),
        (lambda f, made: f.context["small"].equals(None), True),
        (lambda f, made: f.context["nothing"].or_else(0).equals(0), True),
        (lambda f, made: f.context["nothing"].equals(0), False),
        (lambda f, made: made.status.equals("succeeded"), True),
        (lambda f, made: made.result["n"].equals(1), True),
        (lambda f, made: made.result["n"].equals("1"), False),
        (lambda f, made: made.result.equals({"of": None, "n": 1}), True),
    ],
)
def test_conditions_ask_the_context_a_status_or_a_result(
    say: Any, holds: bool, acme: int, make_task: Task, mail_task: Task, play: Play
) -> None:
    flow = Workflow("asked")
    made = flow.step(make_task, n=1)
    flow.step(mail_task, after=made, when=say(flow, made))
    with tenant(acme):
        run = flow.start({"big": True, "small": None})
    play.run_all()

    assert run.statuses()["mail"] == ("succeeded" if holds else "skipped")


def test_a_workflow_inside_and_a_fan_out_have_conditions_too(
    acme: int, make_task: Task, visit_task: Task, play: Play
) -> None:
    inner = Workflow("inner")
    inner.step(make_task)
    flow = Workflow("outer")
    flow.sub(inner, when=flow.context["go"].equals(True))
    flow.fan_out(visit_task, [1], item="site", when=flow.context["go"].equals(True))
    with tenant(acme):
        run = flow.start({"go": False})

    assert run.statuses() == {"inner": "skipped", "visit": "skipped"}
    assert run.status == "succeeded"
    assert rows("SELECT DISTINCT status FROM youtility_tasks_taskworkflow WHERE name = 'inner'") == [("skipped",)]
    assert play.take() == []


def test_a_condition_that_cannot_be_meant_is_refused(acme: int, make_task: Task) -> None:
    flow = Workflow("wrong")
    made = flow.step(make_task)
    with pytest.raises(errors.WrongWorkflow, match="right is a condition"):
        flow.step(make_task, when=True)  # type: ignore[arg-type]
    with pytest.raises(errors.WrongWorkflow, match=r"`make\.status"):
        made.error.equals(None)
    with pytest.raises(errors.NotJson, match="when"):
        flow.step(make_task, when=made.result.equals({1}))
    flow.step(make_task, name="b", after={made: FAILURE}, when=made.result.equals(1))
    with tenant(acme), pytest.raises(errors.UnsureResult, match="step 'b' takes the result of 'make'"):
        flow.start()


def test_without_its_look_a_step_runs_whatever_its_condition_says(acme: int, make_task: Task) -> None:
    def check() -> None:
        flow = Workflow("looked at")
        flow.step(make_task, when=flow.context["go"].equals(True))
        with tenant(acme):
            assert flow.start({"go": False}).statuses() == {"make": "skipped"}

    must_catch(check, "youtility_tasks_flow_release_v1", "s.only_if IS NOT NULL", "false")


def test_with_a_key_there_is_one_run(acme: int, other_tenant: int, make_task: Task, play: Play) -> None:
    def begin() -> Run:
        flow = Workflow("permit")
        flow.step(make_task)
        return flow.start(key="17")

    with tenant(acme):
        first, second = begin(), begin()
        assert first == second == Run.by_key("permit", "17")
    with tenant(other_tenant):
        with pytest.raises(errors.WorkflowNotFound, match="permit: 17"):
            Run.by_key("permit", "17")
        assert begin() != first
    play.desk.claim()
    assert rows("SELECT count(*) FROM procrastinate_jobs") == [(2,)]
    with tenant(acme), pytest.raises(errors.WrongWorkflow, match="a key is text of 1 to 500"):
        _with_key(make_task, "")


def _with_key(task: Task, key: str) -> Run:
    flow = Workflow("w")
    flow.step(task)
    return flow.start(key=key)
