"""Any graph, ended in any order and in any way, is what a dozen lines of Python say it is; and the sweep never finds anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.mutants import undone
from tests.workflows.play import Play, jobs_of
from youtility_tasks import Run, Task, Workflow, queries, tenant
from youtility_tasks.workflows.graph import COMPLETION, FAILURE, SUCCESS, EdgeKind

pytestmark = pytest.mark.django_db

ENDS = ("succeeded", "failed", "aborted")


@dataclass(frozen=True)
class Graph:
    """Steps are numbered in an order in which each comes behind those that it waits for."""

    after: list[dict[int, EdgeKind]]
    joins: list[str]
    ends: list[str]
    picks: list[int]


@st.composite
def graphs(draw: Callable[..., object]) -> Graph:
    size = draw(st.integers(1, 7))
    assert isinstance(size, int)
    kinds = st.sampled_from([SUCCESS, SUCCESS, COMPLETION, FAILURE])
    after = [draw(st.dictionaries(st.integers(0, n - 1), kinds, max_size=3)) if n else {} for n in range(size)]
    joins = [draw(st.sampled_from(["all", "all", "any"])) for _ in range(size)]
    ends = [draw(st.sampled_from([*ENDS, "succeeded"])) for _ in range(size)]
    return Graph(after, joins, ends, [draw(st.integers(0, 6)) for _ in range(size)])  # type: ignore[arg-type]


def is_met(kind: EdgeKind, status: str) -> bool:
    return {
        SUCCESS: status == "succeeded",
        COMPLETION: status not in ("blocked", "todo"),
        FAILURE: status in ("failed", "aborted", "cancelled"),
    }[kind]


def settle(graph: Graph, statuses: dict[int, str]) -> None:
    """Carry on what has ended, until nothing more follows."""
    for n, after in enumerate(graph.after):  # parents come first, so one walk is enough
        if statuses[n] != "blocked":
            continue
        met = [is_met(kind, statuses[parent]) for parent, kind in after.items()]
        if all(met) if graph.joins[n] == "all" or not after else any(met):
            statuses[n] = "todo"
        elif all(statuses[parent] not in ("blocked", "todo") for parent in after):
            statuses[n] = "skipped"


def begun(graph: Graph, task: Task) -> Run:
    flow = Workflow("any")
    steps = []
    for n, after in enumerate(graph.after):
        steps.append(
            flow.step(
                task, name=str(n), after={steps[parent]: kind for parent, kind in after.items()}, join=graph.joins[n]
            )
        )  # type: ignore[arg-type]
    return flow.start()


def follow(graph: Graph, acme: int, task: Task) -> tuple[Run, Play, dict[int, str]]:
    """End its steps one after the other, and compare at each."""
    play = Play()
    with tenant(acme):
        run = begun(graph, task)
    statuses = dict.fromkeys(range(len(graph.after)), "blocked")
    settle(graph, statuses)
    for pick in [*graph.picks, 0]:
        assert run.statuses() == {str(n): status for n, status in statuses.items()}
        assert queries.fetch("flows_sweep", {"most": 100}) == [(0, 0)]
        ready = play.take()
        assert ready == sorted(str(n) for n, status in statuses.items() if status == "todo")
        if not ready:
            break
        name = ready[pick % len(ready)]
        play.end(name, verdict=graph.ends[int(name)])
        statuses[int(name)] = graph.ends[int(name)]
        settle(graph, statuses)
    return run, play, statuses


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=graphs())
def test_it_goes_as_the_model_says_and_ends(graph: Graph, acme: int, make_task: Task) -> None:
    with undone():
        run, _, statuses = follow(graph, acme, make_task)

        failed = [status for status in statuses.values() if status in ("failed", "aborted")]
        assert run.status == ("failed" if failed else "succeeded")
        assert run.row.open_count == 0
        assert jobs_of(run) == sum(status != "skipped" for status in statuses.values())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=graphs(), mode=st.sampled_from(["failed", "failed_downstream", "all"]))
def test_a_retry_in_which_all_goes_well_ends_as_a_run_in_which_nothing_failed(
    graph: Graph, mode: str, acme: int, make_task: Task
) -> None:
    with undone():
        run, play, statuses = follow(graph, acme, make_task)
        if mode != "all" and not set(statuses.values()) & {"failed", "aborted"}:
            return
        with tenant(acme):
            run.retry(mode)
        while ready := play.take():
            play.end(*ready)
            assert queries.fetch("flows_sweep", {"most": 100}) == [(0, 0)]

        assert run.status == "succeeded"
        assert set(run.statuses().values()) <= {"succeeded", "skipped"}
        if mode != "failed":
            best = dict.fromkeys(statuses, "blocked")
            for _ in best:
                settle(graph, best)
                best |= {n: "succeeded" for n, status in best.items() if status == "todo"}
            assert run.statuses() == {str(n): status for n, status in best.items()}
