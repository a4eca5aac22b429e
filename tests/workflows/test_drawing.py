"""A run as a picture: crowds are one node, and each open step says what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.workflows.play import Play
from youtility_tasks import Task, Workflow, tenant
from youtility_tasks.models import TaskAuditLog
from youtility_tasks.workflows import drawing, looking, runs, templates
from youtility_tasks.workflows.graph import COMPLETION, FAILURE
from youtility_tasks.workflows.runs import RetryMode


def _why(run_id: int) -> dict[str, str]:
    return {each.name: drawing.why(each) for each in drawing.steps(runs.find(run_id))}


@pytest.fixture
def report(make_task: Task, mail_task: Task, tidy_task: Task) -> Workflow:
    flow = Workflow("report")
    made = flow.step(make_task, name="make")
    asked = flow.signal("approve", after=made, timeout=timedelta(hours=1))
    flow.step(mail_task, name="mail", after=[made, asked])
    flow.step(tidy_task, name="undo", after={made: FAILURE})
    flow.step(tidy_task, name="tidy", after={asked: COMPLETION})
    return flow


def test_each_open_step_says_what_it_waits_for(acme: int, play: Play, report: Workflow) -> None:
    with tenant(acme):
        run = report.start()
        begun = _why(run.id)
        play.take()
        runs_now = _why(run.id)
        play.end("make")
        asked = _why(run.id)
        runs.signal(run.id, "approve")

    assert "waits in its queue" in begun["make"]
    assert begun["approve"] == "Waits for the success of “make” (waits in its queue)."
    assert begun["undo"] == "Waits for the failure of “make” (waits in its queue)."
    assert runs_now["make"].endswith("runs.")
    assert asked["make"] == ""
    assert asked["approve"].startswith("Waits for the signal “approve”: nobody has sent it. It fails if nobody has by ")
    assert asked["mail"] == "Waits for the success of “approve” (waits for its signal). 1 of 2 edges are satisfied."
    assert asked["tidy"] == "Waits for the end of “approve” (waits for its signal)."


def test_a_picture_has_nodes_edges_and_what_compensates(acme: int, report: Workflow) -> None:
    with tenant(acme):
        run = report.start()
        found = drawing.picture(drawing.steps(runs.find(run.id)))

    names = {each["id"]: each["name"] for each in found["nodes"]}
    assert sorted((names[a], names[b], kind) for a, b, kind in found["edges"]) == [
        ("approve", "mail", "success"), ("approve", "tidy", "completion"), ("make", "approve", "success"), ("make", "mail", "success"),
        ("make", "undo", "failure"),
    ]  # fmt: skip
    assert [each["name"] for each in found["nodes"] if each["undo"]] == ["undo"]


@pytest.mark.parametrize(("count", "nodes"), [(drawing.CROWD, drawing.CROWD + 2), (drawing.CROWD + 1, 3)])
def test_a_crowd_of_like_steps_is_one_node(acme: int, make_task: Task, tidy_task: Task, count: int, nodes: int) -> None:
    flow = Workflow("crowd")
    first = flow.step(tidy_task, name="first")
    all_of_them = flow.group(*[(make_task, {"n": n}) for n in range(count)], after=first)
    flow.step(tidy_task, name="last", after=all_of_them)
    with tenant(acme):
        run = flow.start()
        found = drawing.picture(drawing.steps(runs.find(run.id)))

    assert len(found["nodes"]) == nodes
    if nodes == 3:
        assert found["nodes"][1]["counts"] == {"blocked": count}
        assert len(found["edges"]) == 2


def test_ten_thousand_items_are_one_node_at_once(acme: int, play: Play, visit_task: Task) -> None:
    flow = Workflow("rounds")
    flow.fan_out(visit_task, range(10_000), item="site", name="visits")
    with tenant(acme):
        run = flow.start()
        play.desk.claim(3)
        begun = time.monotonic()
        (node,) = drawing.picture(drawing.steps(runs.find(run.id)))["nodes"]
        took = time.monotonic() - begun

    assert node["counts"] == {"todo": 9_997, "doing": 3}
    assert node["of"] == 10_000
    assert took < 5  # some 30 ms, on a machine with nothing else to do


def test_a_few_items_are_drawn_one_by_one_and_of_many_those_that_failed_are_listed(
    acme: int, play: Play, visit_task: Task
) -> None:
    flow = Workflow("rounds")
    flow.fan_out(visit_task, range(2), item="site", name="few")
    flow.fan_out(visit_task, range(drawing.CROWD + 1), item="site", name="many")
    with tenant(acme):
        run = flow.start()
        names = play.take()
        play.fail(next(each for each in names if each.startswith("many")))
        found = drawing.steps(runs.find(run.id))
        picture = drawing.picture(found)

    assert [each["name"] for each in picture["nodes"]] == ["few", "few[0]", "few[1]", "many"]
    assert [kind for _, _, kind in picture["edges"]] == ["inside", "inside"]
    assert [len(each.item_rows) for each in found] == [2, 1]


def test_only_what_has_moved_is_told_again(acme: int, play: Play, report: Workflow) -> None:
    with tenant(acme):
        run = report.start()
        row = runs.find(run.id)
        play.take()
        play.end("make")
        now = row.started_at + timedelta(days=1)
        status, moved, _ = drawing.states(row.pk, row.root_id, now)
        late = {each["status"] for each in moved}
        early = [
            each["status"] for each in drawing.states(row.pk, row.root_id, row.started_at - timedelta(seconds=1))[1]
        ]

    assert (status, late) == ("running", {"waiting"})
    assert sorted(early) == ["skipped", "succeeded", "waiting"]


def test_what_a_retry_would_run_is_told_and_not_done(acme: int, play: Play, report: Workflow) -> None:
    with tenant(acme):
        run = report.start()
        play.take()
        play.fail("make")
        play.run_all()
        before = run.statuses()

        failed, everything = (looking.would_retry(run.id, mode) for mode in (RetryMode.FAILED, RetryMode.ALL))

        assert failed is not None
        assert everything is not None
        assert everything.step_count == 5
        assert failed.step_count == runs.retry(run.id, RetryMode.FAILED)
        assert "make" in failed.names
    assert before["make"] == "failed"


def test_looking_at_a_retry_leaves_the_run_as_it_was(acme: int, play: Play, make_task: Task) -> None:
    flow = Workflow("one")
    flow.step(make_task, name="make")
    with tenant(acme):
        run = flow.start()
        play.run_all()
        assert looking.would_retry(run.id, RetryMode.ALL) == looking.WouldRun(1, ["make"])
        assert looking.would_retry(run.id, RetryMode.FAILED) is None
        assert run.statuses() == {"make": "succeeded"}
        assert play.take() == []


def test_a_run_begun_by_hand_is_entered_with_its_reason(acme: int, report: Workflow) -> None:
    with tenant(acme):
        templates.save(report)
        run, _ = templates.begin("report", context={"a": 1}, reason="month's end")

    entry = TaskAuditLog.objects.get(act="start workflow")
    assert (entry.reason, entry.after) == ("month's end", {"template": "report", "version": 1})
    with tenant(acme):
        assert runs.find(run.id, with_contents=True).context == {"a": 1}


def test_a_definition_is_drawn_with_what_is_inside_it(make_task: Task, declare: Callable[..., Task]) -> None:
    inner = Workflow("inner")
    inner.step(make_task, name="deep")
    outer = Workflow("outer")
    first = outer.step(make_task, name="first")
    outer.sub(inner, name="sub", after=first)

    found = looking.sketch(templates.as_data(outer))

    assert [each["id"] for each in found["nodes"]] == ["first", "sub", "sub/deep"]
    assert found["edges"] == [["first", "sub", "success"], ["sub", "sub/deep", "inside"]]
