"""The critical path of a run: whose end began whom, and where the time went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.desk import execute
from tests.workflows.play import Play
from youtility_tasks import Task, Workflow, tenant
from youtility_tasks.workflows import critical, drawing, runs
from youtility_tasks.workflows.drawing import Drawn

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FLOW: Any = SimpleNamespace(pk=1, started_at=NOON)


def _step(
    n: int, begun: float | None, ended: float | None, *after: Drawn, kind: str = "task", any_of: bool = False,
    flow: int = 1, inside: int | None = None,
) -> Drawn:  # fmt: skip
    """Begun and ended so many seconds after noon."""
    status = "blocked" if begun is None else "todo" if ended is None else "succeeded"
    at = [None if each is None else NOON + timedelta(seconds=each) for each in (begun, ended)]
    made = Drawn(
        n, flow, inside, f"s{n}", kind, status, "t", None, not any_of, None, None, "", *at, None, None, None, None
    )
    made.before = [(each, "success") for each in after]
    return made


def _names(*steps: Drawn) -> list[str]:
    return [each.step.name for each in critical.path(FLOW, steps, NOON + timedelta(seconds=100))]


def test_of_those_before_a_step_the_last_to_end_is_on_the_path() -> None:
    first = _step(1, 0, 1)
    slow, quick = _step(2, 1, 9, first), _step(3, 1, 2, first)
    last = _step(4, 9, 10, slow, quick)
    aside = _step(5, 2, 5, quick)

    assert _names(first, slow, quick, last, aside) == ["s1", "s2", "s4"]


def test_a_step_that_any_of_them_begins_was_begun_by_the_first_to_end() -> None:
    slow, quick = _step(1, 0, 9), _step(2, 0, 2)
    last = _step(3, 2, 12, slow, quick, any_of=True)

    assert _names(slow, quick, last) == ["s2", "s3"]


def test_of_a_run_that_goes_on_the_path_leads_to_what_has_been_open_longest() -> None:
    first = _step(1, 0, 1)
    long_open, just_begun, done = _step(2, 1, None, first), _step(3, 4, None), _step(4, 1, 50, first)

    assert _names(first, long_open, just_begun, done, _step(5, None, None, long_open)) == ["s1", "s2"]
    assert critical.path(FLOW, [first, long_open], NOON + timedelta(seconds=100))[-1].total_s == 99


def test_below_a_workflow_follows_what_is_inside_it() -> None:
    around = _step(1, 0, 10, kind="sub")
    inner = [_step(2, 0, 4, flow=2, inside=1), _step(3, 0, 6, flow=2, inside=1)]
    inner.append(_step(4, 6, 10, *inner, flow=2, inside=1))
    for each in inner:
        each.depth = 1
    last = _step(5, 10, 11, around)

    legs = critical.path(FLOW, [around, *inner, last])

    assert [(each.step.id, each.after and each.after.id, each.total_s) for each in legs] == [
        (1, None, 10), (3, 1, 6), (4, 3, 4), (5, 1, 1),
    ]  # fmt: skip


def test_one_that_was_run_again_later_did_not_begin_it() -> None:
    again, other = _step(1, 20, 30), _step(2, 0, 1)

    assert _names(again, other, _step(3, 1, 40, again, other)) == ["s2", "s3"]


def test_a_chain_of_thousands_is_walked() -> None:
    chain = [_step(1, 0, 1)]
    for n in range(2, 5_001):
        chain.append(_step(n, n - 1, n, chain[-1]))

    assert len(_names(*chain)) == 5_000


def test_nothing_begun_has_no_path() -> None:
    assert critical.path(FLOW, [_step(1, None, None)]) == []
    assert critical.path(FLOW, []) == []


@pytest.mark.django_db
def test_waits_and_runs_are_those_of_the_attempts(acme: int, play: Play, make_task: Task, tidy_task: Task) -> None:
    flow = Workflow("report")
    made = flow.step(make_task, name="make")
    flow.step(tidy_task, name="tidy", after=made)
    flow.step(tidy_task, name="aside")
    with tenant(acme):
        run = flow.start()
        play.take()
        play.end("aside", run_ms=1.0)
        play.end("make", verdict="retry", run_ms=250.0)
        play.take()
        play.end("make", run_ms=500.0)
        play.take()
        play.end("tidy", run_ms=40.0)
        execute(
            "UPDATE youtility_tasks_workflowstep SET released_at = released_at - interval '9 seconds' WHERE name = 'make'"
        )
        execute("UPDATE youtility_tasks_taskworkflow SET started_at = started_at - interval '9 seconds'")
        found = drawing.steps(runs.find(run.id))
        first, last = critical.path(runs.find(run.id), found)
        picture = drawing.picture(found, [(first.step.id, None), (last.step.id, first.step.id)])

    assert (first.step.name, first.run_s, first.attempt_count) == ("make", 0.75, 2)
    assert first.wait_s == pytest.approx(first.total_s - 0.75) and first.total_s > 9
    assert (last.step.name, last.run_s, last.after) == ("tidy", 0.04, first.step)
    assert picture["path"] == {
        "nodes": [f"s{first.step.id}", f"s{last.step.id}"],
        "edges": [[f"s{first.step.id}", f"s{last.step.id}"]],
    }
