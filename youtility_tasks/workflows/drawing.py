"""A run as a picture: nodes and edges, crowds of like steps drawn as one; and what each open step waits for, in words.

However many steps there are, it is four queries, and the picture has at most `MOST_NODES` nodes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from youtility_tasks import queries
from youtility_tasks.models import TaskDependency, TaskWorkflow

from .graph import StepKind

CROWD = 50
"""So many like steps side by side are drawn one by one; more are one node with counts."""
MOST_NODES = 200
MOST_STEPS = 100_000
_ENDED = {"succeeded", "failed", "cancelled", "aborted", "skipped"}
_SATISFIED: Mapping[str, frozenset[str]] = {
    "success": frozenset({"succeeded"}),
    "completion": frozenset(_ENDED),
    "failure": frozenset({"failed", "aborted", "cancelled"}),
}


@dataclass(slots=True)
class Drawn:
    """One step as it stands."""

    id: int
    workflow_id: int
    parent_step_id: int | None
    name: str
    kind: str
    status: str
    task_name: str
    job_id: int | None
    needs_all: bool
    open_items: int | None
    failed_items: int | None
    error_class: str
    released_at: datetime | None
    ended_at: datetime | None
    timeout_at: datetime | None
    wait_s: float | None
    job_status: str | None
    scheduled_at: datetime | None
    depth: int = 0
    before: list[tuple[Drawn, str]] = field(default_factory=list)
    """The steps that it comes after, each with the kind of the edge."""
    is_before: list[tuple[int, str]] = field(default_factory=list)
    items: Counter[str] = field(default_factory=Counter)
    """Of a fan-out: status -> how many."""
    item_rows: list[Drawn] = field(default_factory=list)
    """Of a fan-out: its items; of a crowd of them those that failed."""

    @property
    def shown(self) -> str:
        """As `status`; "doing" while its job runs or what is inside it does, "waiting" for a signal whose turn has come."""
        return shown(self.kind, self.status, self.job_status)

    @property
    def compensates(self) -> bool:
        """Whether it runs only where something before it has failed."""
        return bool(self.before) and all(kind == "failure" for _, kind in self.before)


def shown(kind: str, status: str, job_status: str | None) -> str:
    """How a step stands as people see it."""
    if status != "todo":
        return status
    if kind == StepKind.SIGNAL:
        return "waiting"
    return "doing" if job_status == "doing" or kind in {StepKind.FAN_OUT, StepKind.SUB} else "todo"


def steps(run: TaskWorkflow) -> list[Drawn]:
    """Every step of a run and of the workflows inside it, in order, without the items of fan-outs. Three queries."""
    rows = queries.fetch("flow_drawing", {"root_id": run.root_id, "most": MOST_STEPS})
    found = {row[0]: Drawn(*row) for row in rows}
    flows = {each.workflow_id for each in found.values()}
    edges = TaskDependency.objects.filter(tenant_id=run.tenant_id, workflow_id__in=flows)
    for parent, child, kind in edges.values_list("parent_id", "child_id", "kind").order_by("pk"):
        if parent in found and child in found:
            found[child].before.append((found[parent], kind))
            found[parent].is_before.append((child, kind))
    if any(each.kind == StepKind.FAN_OUT for each in found.values()):
        _add_items(run, found)
    inside: dict[int, list[Drawn]] = defaultdict(list)
    for each in found.values():
        inside[each.workflow_id].append(each)
    flow_of = {each.parent_step_id: each.workflow_id for each in found.values() if each.parent_step_id is not None}
    return list(_in_order(run.pk, inside, flow_of))


def _add_items(run: TaskWorkflow, found: Mapping[int, Drawn]) -> None:
    for group_id, status, count in queries.fetch("flow_items", {"root_id": run.root_id}):
        if group_id in found:
            found[group_id].items[status] += count
    fans = [each for each in found.values() if each.items]
    small = [each.id for each in fans if sum(each.items.values()) <= CROWD]
    large = [each.id for each in fans if each.items["failed"] + each.items["aborted"] + each.items["cancelled"]]
    if not small and not large:
        return
    wanted = {"small": small, "large": large, "most": MOST_NODES}
    for group_id, pk, name, status, job_id, error, released, ended, job, due in queries.fetch("flow_item_rows", wanted):
        fan = found[group_id]
        fan.item_rows.append(
            Drawn(
                pk, fan.workflow_id, group_id, name, StepKind.ITEM, status, fan.task_name, job_id, True, None, None, error,
                released, ended, None, None, job, due, fan.depth + 1,
            )
        )  # fmt: skip


def _in_order(first: int, inside: Mapping[int, list[Drawn]], flow_of: Mapping[int, int]) -> Iterable[Drawn]:
    """The steps of a workflow, those of one inside it behind the step that it is."""
    waiting = [(each, 0) for each in reversed(inside.get(first, []))]
    while waiting:
        step, depth = waiting.pop()
        step.depth = depth
        for item in step.item_rows:
            item.depth = depth + 1
        yield step
        inner = flow_of.get(step.id)
        if inner is not None:
            waiting += [(each, depth + 1) for each in reversed(inside[inner])]


def picture(found: Sequence[Drawn], path: Sequence[tuple[int, int | None]] = ()) -> dict[str, Any]:
    """Nodes and edges as a script draws them. A crowd is one node; `left_out` says how many nodes were too many.

    `path`: the steps of the critical path, each with the one before it; its nodes and edges are told apart.
    """
    node_of: dict[int, str] = {}
    nodes: dict[str, dict[str, Any]] = {}
    for crowd in _crowds(found):
        first = crowd[0]
        key = f"s{first.id}"
        counts = Counter(each.shown for each in crowd) if len(crowd) > 1 else first.items
        nodes[key] = {
            "id": key,
            "name": first.task_name or first.name if len(crowd) > 1 else first.name,
            "kind": first.kind,
            "status": _of_many(counts) if len(crowd) > 1 else first.shown,
            "of": sum(counts.values()) if counts else 0,
            "counts": dict(counts),
            "inside": f"s{first.parent_step_id}" if first.parent_step_id is not None else None,
            "undo": first.compensates,
            "job": first.job_id if len(crowd) == 1 else None,
            "ids": [each.id for each in crowd] if len(crowd) == 1 else [],
        }
        node_of.update((each.id, key) for each in crowd)
        for item in _drawn_items(crowd):
            node_of[item.id] = f"s{item.id}"
            nodes[node_of[item.id]] = _item(item, key)
    kept = dict(list(nodes.items())[:MOST_NODES])
    edges = {
        (node_of[before.id], node_of[each.id], kind) for each in found for before, kind in each.before
    }  # fmt: skip
    edges |= {
        (f"s{each.parent_step_id}", node_of[each.id], "inside")
        for each in found if each.parent_step_id is not None and not each.before and f"s{each.parent_step_id}" in nodes
    }  # fmt: skip
    edges |= {(node["inside"], key, "inside") for key, node in nodes.items() if node["kind"] == StepKind.ITEM}
    return {
        "nodes": list(kept.values()),
        "edges": sorted([a, b, kind] for a, b, kind in edges if a in kept and b in kept),
        "left_out": len(nodes) - len(kept),
        "path": _path(path, {step: node for step, node in node_of.items() if node in kept}),
    }


def _path(path: Sequence[tuple[int, int | None]], node_of: Mapping[int, str]) -> dict[str, list[Any]]:
    nodes = list(dict.fromkeys(node_of[step] for step, _ in path if step in node_of))
    edges = [
        [node_of[before], node_of[step]]
        for step, before in path
        if step in node_of and before is not None and before in node_of
    ]
    return {"nodes": nodes, "edges": edges}


def _drawn_items(crowd: Sequence[Drawn]) -> list[Drawn]:
    """The items of a fan-out that are drawn one by one: all, if they are few."""
    (fan, *others) = crowd
    return fan.item_rows if not others and sum(fan.items.values()) <= CROWD else []


def _item(item: Drawn, fan: str) -> dict[str, Any]:
    return {
        "id": f"s{item.id}", "name": item.name, "kind": item.kind, "status": item.shown, "of": 0, "counts": {}, "inside": fan,
        "undo": False, "job": item.job_id, "ids": [item.id],
    }  # fmt: skip


def _crowds(found: Sequence[Drawn]) -> list[list[Drawn]]:
    """Steps that stand between the same others and run the same task, together where they are many."""
    alike: dict[tuple[Any, ...], list[Drawn]] = defaultdict(list)
    for each in found:
        before = tuple(sorted((step.id, kind) for step, kind in each.before))
        alike[each.workflow_id, each.kind, each.task_name, before, tuple(sorted(each.is_before))].append(each)
    crowds = []
    for group in alike.values():
        is_crowd = len(group) > CROWD and group[0].kind == StepKind.TASK
        crowds += [group] if is_crowd else [[each] for each in group]
    return sorted(crowds, key=lambda crowd: crowd[0].id)


def _of_many(counts: Mapping[str, int]) -> str:
    """The status of a crowd: what needs somebody first."""
    for status in ("failed", "aborted", "cancelled", "doing", "waiting", "todo", "blocked"):
        if counts.get(status):
            return status
    return "succeeded" if counts.get("succeeded") else "skipped"


def states(run_id: int, root_id: int, since: datetime) -> tuple[str, list[dict[str, Any]], datetime]:
    """How a run stands (empty: as before), the steps that have moved since an instant, or whose turn it is, and when that was asked, by the
    database's clock. One query."""
    rows = queries.fetch("flow_states", {"run_id": run_id, "root_id": root_id, "since": since, "most": MOST_NODES})
    moved = [
        {"id": pk, "status": shown(kind, status, job_status), "open": open_items, "failed": failed_items}
        for _, pk, kind, status, job_status, open_items, failed_items, _ in rows
    ]
    return (rows[0][0], moved, rows[0][-1]) if rows else ("", moved, since)


# -- what it waits for


def why(step: Drawn) -> str:
    """What an open step waits for, in a sentence; empty for one that has ended."""
    if step.status in _ENDED:
        return ""
    match step.shown:
        case "blocked":
            return _before(step)
        case "waiting":
            until = f" It fails if nobody has by {_at(step.timeout_at)}." if step.timeout_at else ""
            return f"Waits for the signal “{step.name}”: nobody has sent it.{until}"
        case "doing" if step.kind == StepKind.FAN_OUT:
            failed = f", {step.failed_items:,} failed" if step.failed_items else ""
            if step.open_items is None:
                return "Makes its items."
            return f"{step.open_items:,} of {sum(step.items.values()):,} items have not ended{failed}."
        case "doing" if step.kind == StepKind.SUB:
            return "The workflow inside it runs."
        case "doing":
            return f"Job {step.job_id} runs."
    if step.scheduled_at is not None and step.scheduled_at > datetime.now(UTC):
        return f"Its turn has come; job {step.job_id} begins at {_at(step.scheduled_at)}."
    return f"Its turn has come; job {step.job_id} waits in its queue."


def _before(step: Drawn) -> str:
    open_ones = [(each, kind) for each, kind in step.before if each.status not in _ENDED]
    met = [each for each, kind in step.before if each.status in _SATISFIED[kind]]
    if not step.before:
        return "The workflow that it is in has not begun."
    if not open_ones:
        return "All before it has ended; it is decided within a moment."
    words = [f"{_wanted(kind)} of “{each.name}” ({_stands(each)})" for each, kind in open_ones[:6]]
    more = f" and {len(open_ones) - 6:,} more" if len(open_ones) > 6 else ""
    joined = " and " if step.needs_all else " or "
    done = f" {len(met):,} of {len(step.before):,} edges are satisfied." if met else ""
    then = f" Then it waits {step.wait_s:,.0f} s." if step.wait_s else ""
    return f"Waits for {joined.join(words)}{more}.{done}{then}"


def _wanted(kind: str) -> str:
    return {"success": "the success", "failure": "the failure", "completion": "the end"}[kind]


def _stands(step: Drawn) -> str:
    return {
        "doing": "runs",
        "todo": "waits in its queue",
        "waiting": "waits for its signal",
        "blocked": "has not begun",
    }.get(step.shown, step.shown)


def _at(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
