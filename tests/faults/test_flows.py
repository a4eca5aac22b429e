"""Workers die at every edge of a workflow; each step has one job all the same, and none is missing."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from typing import Any

import pytest

from tests.acceptance.crew import Crew, until
from youtility_tasks import failpoints

ITEMS = 6


def step(name: str, kind: str = "task", **more: Any) -> dict[str, Any]:
    its = {"task_name": "adds", "queue_name": "maintenance", "priority": 6, "args": {"a": 1, "b": 2}}
    return {"run": 0, "name": name, "kind": kind, "needs_all": True, "edge_count": 0, **its, **more}


def start(crew: Crew, steps: list[dict[str, Any]], edges: list[tuple[str, str, str]]) -> int:
    """A run of tenant 0, as `Workflow.start` would write it."""
    for parent, child, _ in edges:
        next(each for each in steps if each["name"] == child)["edge_count"] += 1
        assert any(each["name"] == parent for each in steps)
    flow = {
        "runs": [{"name": "faulty", "step_count": len(steps)}],
        "context": {},
        "steps": steps,
        "edges": [{"run": 0, "parent": parent, "child": child, "kind": kind} for parent, child, kind in edges],
    }
    ((workflow_id,),) = crew.queue.rows(
        "SELECT workflow_id FROM youtility_tasks_flow_start_v1(%s::jsonb, 0, false)", json.dumps(flow)
    )
    return int(workflow_id)


def spread(crew: Crew) -> int:
    """a, then six at once, then one behind them all, and one that asks for nothing but the end of the first."""
    items = [{"args": {"a": n, "b": 0}} for n in range(ITEMS)]
    steps = [step("a"), step("b", "fan_out", args={}, over={"list": items}), step("c"), step("d"), step("never")]
    edges = [("a", "b", "success"), ("b", "c", "success"), ("a", "d", "completion"), ("b", "never", "failure")]
    return start(crew, steps, edges)


def ended_well(crew: Crew, workflow_id: int, *, steps: int) -> None:
    """The run is over, each step that ran had one job, which ended once, and there is nothing that anybody forgot."""
    until(
        lambda: crew.queue.rows("SELECT 1 FROM youtility_tasks_taskworkflow WHERE id = %s AND status = 'succeeded'", workflow_id),
        within_s=60, why=f"the run has not ended: {crew.queue.rows('SELECT name, status FROM youtility_tasks_workflowstep')}",
    )  # fmt: skip
    assert crew.queue.rows("SELECT count(*), count(DISTINCT job_id) FROM youtility_tasks_history WHERE is_final") == [
        (steps, steps)
    ]
    assert crew.queue.rows(
        "SELECT count(DISTINCT args -> '$flow' -> 0) FROM youtility_tasks_history WHERE is_final"
    ) == [(steps,)]
    assert crew.queue.rows("SELECT count(*) FROM procrastinate_jobs") == [(0,)]
    assert crew.queue.rows("SELECT untold, unreleased FROM youtility_tasks_flows_sweep_v1(1000)") == [(0, 0)]


@pytest.mark.parametrize("point", ["after_claim", "before_start", "before_finish", "after_finish_sent", "in_rescue"])
def test_a_process_that_dies_at_a_point_of_its_work_loses_and_doubles_no_step(crew: Crew, point: str) -> None:
    crew.env = {**crew.env, failpoints.VARIABLE: f"{point}=kill:{crew.folder / 'once'}"}
    crew.start(threads=2)

    workflow_id = spread(crew)

    ended_well(crew, workflow_id, steps=ITEMS + 3)
    until((crew.folder / "once").exists, why="nobody died")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("point", ["before_finish", "after_finish_sent"])
def test_a_worker_that_dies_at_every_edge_of_a_chain_releases_each_step_once(crew: Crew, point: str) -> None:
    names = [f"s{n}" for n in range(5)]
    once = crew.folder / "once"
    crew.env = {**crew.env, failpoints.VARIABLE: f"{point}=kill:{once}"}
    crew.start(threads=1)
    workflow_id = start(crew, [step(name) for name in names], [(a, b, "success") for a, b in itertools.pairwise(names)])

    for deaths in range(1, len(names) + 1):
        until(once.exists, within_s=30, why="nobody died at this edge")
        if deaths < len(names):
            once.unlink()

    ended_well(crew, workflow_id, steps=len(names))


@pytest.mark.timeout(180)
def test_children_that_are_killed_in_the_middle_of_a_fan_out_leave_one_fan_in(crew: Crew) -> None:
    gate = crew.gate()
    crew.start(processes=2, threads=3)
    items = [{"args": {"until": str(gate), "name": str(n)}} for n in range(ITEMS)]
    steps = [step("b", "fan_out", args={}, task_name="waits", over={"list": items}), step("c")]
    workflow_id = start(crew, steps, [("b", "c", "success")])

    for pid in {entry["pid"] for entry in crew.began(ITEMS)}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    gate.touch()

    ended_well(crew, workflow_id, steps=ITEMS + 1)
