"""A run as people look at it: its steps in order with what they wait for, those of workflows inside it indented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from youtility_tasks.models import Job, TaskDependency, TaskWorkflow, WorkflowStep
from youtility_tasks.models.workflows import STEPS_OWN

from .graph import StepKind


@dataclass(frozen=True, slots=True)
class Line:
    """One step, or one item of a fan-out."""

    id: int
    workflow_id: int
    name: str
    kind: str
    status: str
    shown_status: str
    """As `status`; and "doing" while its job runs, "waiting" for a signal whose turn has come."""
    depth: int
    job_id: int | None
    open_items: int | None
    failed_items: int | None
    error_class: str
    released_at: datetime | None
    ended_at: datetime | None
    join: str = "all"
    after: Mapping[str, str] = field(default_factory=dict)


def steps(run: TaskWorkflow, *, most: int = 1_000) -> list[Line]:
    """The steps of a run and of those inside it, at most `most`; of a fan-out only items that have not succeeded."""
    inner = TaskWorkflow.objects.filter(root_id=run.root_id).exclude(parent_step_id=None).only("id", "parent_step_id")
    by_step = {each.parent_step_id: each for each in inner}
    lines: list[Line] = []
    _walk(run.pk, 0, by_step, lines, most)
    return lines[:most]


def _walk(workflow_id: int, depth: int, inner: Mapping[int | None, TaskWorkflow], lines: list[Line], most: int) -> None:
    if len(lines) >= most:
        return
    found = list(
        WorkflowStep.objects.filter(workflow_id=workflow_id, group_id=None).defer(*STEPS_OWN).order_by("pk")[:most]
    )
    names = {each.pk: each.name for each in found}
    edges: dict[int, dict[str, str]] = {}
    for parent, child, kind in TaskDependency.objects.filter(workflow_id=workflow_id, child_id__in=names).values_list(
        "parent_id", "child_id", "kind"
    ):
        edges.setdefault(child, {})[names.get(parent, str(parent))] = kind
    running = _running(found)
    for step in found:
        lines.append(_line(step, depth, running, edges.get(step.pk, {})))
        if step.kind == StepKind.FAN_OUT:
            items = (
                WorkflowStep.objects.filter(group_id=step.pk)
                .exclude(status="succeeded")
                .defer(*STEPS_OWN)
                .order_by("item_index")
            )
            shown = list(items[: max(0, most - len(lines))])
            alive = _running(shown)
            lines += [_line(each, depth + 1, alive, {}) for each in shown]
        if step.pk in inner:
            _walk(inner[step.pk].pk, depth + 1, inner, lines, most)


def _running(found: list[WorkflowStep]) -> frozenset[int]:
    jobs = [each.job_id for each in found if each.status == "todo" and each.job_id is not None]
    return frozenset(Job.objects.filter(pk__in=jobs, status="doing").values_list("pk", flat=True))


def _line(step: WorkflowStep, depth: int, running: frozenset[int], after: Mapping[str, str]) -> Line:
    shown = step.status
    if step.status == "todo":
        if step.job_id in running or step.kind in {StepKind.FAN_OUT, StepKind.SUB}:
            shown = "doing"
        elif step.kind == StepKind.SIGNAL:
            shown = "waiting"
    return Line(
        step.pk, step.workflow_id, step.name, step.kind, step.status, shown, depth, step.job_id, step.open_items, step.failed_items, step.error_class,
        step.released_at, step.ended_at, "all" if step.needs_all else "any", after,
    )  # fmt: skip
