"""Steps and edges, checked for circles, unknown names and results that may not be there; no database, no Django."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from youtility_tasks.errors import Circle, UnknownStep, UnsureResult, WrongWorkflow

from .references import Kind, Reference


class EdgeKind(StrEnum):
    """When an edge is satisfied, once the step before has ended."""

    SUCCESS = "success"
    """It succeeded."""
    COMPLETION = "completion"
    """It ended in any way, also by being skipped."""
    FAILURE = "failure"
    """It ran and failed for good, or was aborted or cancelled; not when it was skipped."""


SUCCESS, COMPLETION, FAILURE = EdgeKind.SUCCESS, EdgeKind.COMPLETION, EdgeKind.FAILURE


class Join(StrEnum):
    """How many of a step's edges must be satisfied. Without that it is skipped, once all steps before have ended."""

    ALL = "all"
    ANY = "any"
    """One; the first releases it."""


class StepKind(StrEnum):
    """What a step does when it is released."""

    TASK = "task"
    FAN_OUT = "fan_out"
    """Makes an item of its own for each element of a list, and ends with the last of them."""
    ITEM = "item"
    """One job of a fan-out."""
    SUB = "sub"
    """Begins another workflow, and ends with it."""
    SIGNAL = "signal"
    """Waits until somebody sends its signal."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step as the graph sees it: name, edges into it (name of the step before -> kind), what it refers to."""

    name: str
    after: Mapping[str, EdgeKind]
    join: Join = Join.ALL
    refers_to: Sequence[Reference] = ()


def check(workflow: str, nodes: Mapping[str, Node]) -> list[str]:
    """The names in an order in which each comes after all that it waits for.

    Raises WrongWorkflow without a step, UnknownStep, Circle, or UnsureResult for a result that a step may have to do without.
    """
    if not nodes:
        raise WrongWorkflow(f"Workflow {workflow!r} has no step. Give it one: `flow.step(task, ...)`.")
    for node in nodes.values():
        for named in (*node.after, *(each.step for each in node.refers_to if each.step is not None)):
            if named not in nodes:
                raise UnknownStep(workflow, node.name, named, nodes)
    order = _in_order(workflow, nodes)
    _check_references(workflow, nodes, order)
    return order


def _in_order(workflow: str, nodes: Mapping[str, Node]) -> list[str]:
    waits = {name: len(node.after) for name, node in nodes.items()}
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for node in nodes.values():
        for parent in node.after:
            before[parent].append(node.name)
    order = [name for name, n in waits.items() if n == 0]
    for name in order:  # it grows while it is walked
        for child in before[name]:
            waits[child] -= 1
            if waits[child] == 0:
                order.append(child)
    if len(order) < len(nodes):
        raise Circle(workflow, _circle(nodes, {name for name, n in waits.items() if n > 0}))
    return order


def _circle(nodes: Mapping[str, Node], left: set[str]) -> list[str]:
    """One circle among the steps that are left, in the order in which they release each other."""
    walked: list[str] = []
    here = min(left)
    while here not in walked:
        walked.append(here)
        here = next(parent for parent in nodes[here].after if parent in left)
    return walked[: walked.index(here) - 1 if walked.index(here) else None : -1]


def _check_references(workflow: str, nodes: Mapping[str, Node], order: Sequence[str]) -> None:
    """Each step may refer to what has ended before it; and to a result only if that is there, or says what else."""
    ended: dict[str, frozenset[str]] = {}
    succeeded: dict[str, frozenset[str]] = {}
    for name in order:
        node = nodes[name]
        ended[name], succeeded[name] = _known_before(node, ended, succeeded)
        for reference in node.refers_to:
            step = reference.step
            if step is None:
                continue
            if step not in ended[name]:
                why = "which need not have ended by then"
                raise UnsureResult(workflow, name, step, f"{why}: no edge leads from there to here")
            needs_success = reference.kind in (Kind.RESULT, Kind.RESULTS) and not reference.has_default
            if needs_success and step not in succeeded[name]:
                raise UnsureResult(workflow, name, step, "which may have failed or been skipped by then")


def _known_before(
    node: Node, ended: Mapping[str, frozenset[str]], succeeded: Mapping[str, frozenset[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """Which steps have ended, and which have succeeded, whenever this one runs."""
    if not node.after:
        return frozenset(), frozenset()
    edges = [
        (
            ended[parent] | {parent},
            # A step that ran had its own edges satisfied; one that was skipped says nothing of those before it.
            succeeded[parent] | {parent} if kind is SUCCESS else succeeded[parent] if kind is FAILURE else frozenset(),
        )
        for parent, kind in node.after.items()
    ]
    if node.join is Join.ALL:
        return frozenset().union(*(each for each, _ in edges)), frozenset().union(*(each for _, each in edges))
    first = edges[0]
    return first[0].intersection(*(each for each, _ in edges)), first[1].intersection(*(each for _, each in edges))
