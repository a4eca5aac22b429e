"""A definition becomes rows: one statement writes the run with all its steps and edges, and enqueues the first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from youtility_tasks import enqueue, payload, queries, tenants, tracing
from youtility_tasks.conf import settings
from youtility_tasks.errors import NoTenant, UnknownTenant, WrongWorkflow

from .graph import Join, StepKind
from .references import Reference
from .runs import Run, moved

if TYPE_CHECKING:
    from .definition import Step, Workflow

_LONGEST_KEY = 500


Begin = tuple["Workflow", Mapping[str, Any] | None, str | None]
"""A workflow, the context of its run, and its key."""


def start(flow: Workflow, context: Mapping[str, Any], key: str | None) -> Run:
    """Write a run of `flow` in the caller's transaction; see `Workflow.start`."""
    return start_many([(flow, context, key)])[0]


def start_many(runs: Sequence[Begin]) -> list[Run]:
    """Write several runs with one statement, in their order; see `Workflow.start_many`."""
    for flow, _, _ in runs:
        flow.check()
    tenant_id = tenants.current_tenant()
    if tenant_id is None:
        for flow, _, _ in runs:
            _check_serves_all(flow)
        with tenants.no_tenant():
            return _write(runs, tenants.ALL)
    return _write(runs, tenant_id)


def _check_serves_all(flow: Workflow) -> None:
    for each in flow.all_below():
        for step in each.steps.values():
            if step.task is not None and step.task.tenant == "one":
                raise NoTenant(step.task.name)


def _write(runs: Sequence[Begin], tenant_id: int) -> list[Run]:
    if not runs:
        return []
    if tracing.is_on():
        from youtility_tasks.tracing import producing  # with the setting alone

        with producing.sending(runs[0][0].name, tenant_id=tenant_id, count=len(runs)):
            return _write_for_tenant(runs, tenant_id)
    return _write_for_tenant(runs, tenant_id)


def _write_for_tenant(runs: Sequence[Begin], tenant_id: int) -> list[Run]:
    flows = [_text(flow, context or {}, key) for flow, context, key in runs]
    parameters = {"flows": flows, "tenant_id": tenant_id, "noted": settings().procrastinate_events, **tracing.carried()}
    written = queries.fetch("flow_start", parameters)
    if not all(tenant_is_known for _, _, tenant_is_known in written):
        raise UnknownTenant(
            f"Workflow {runs[0][0].name!r} was started for tenant {tenant_id}, which does not exist or is not active. "
            "`manage_task_queue tenants` lists them."
        )
    moved()
    return [Run(workflow_id) for workflow_id, _, _ in written]


def _text(flow: Workflow, context: Mapping[str, Any], key: str | None) -> str:
    if key is not None and (
        not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY or payload.clean_text(key) != key
    ):
        raise WrongWorkflow(
            f"Workflow {flow.name!r}: a key is text of 1 to {_LONGEST_KEY} characters without NUL; given: {key!r:.80}."
        )
    if not isinstance(context, Mapping):
        raise WrongWorkflow(
            f"Workflow {flow.name!r}: the context is {context!r:.80}; right is a dict that its steps may refer to."
        )
    limits = settings()
    said = payload.check(
        f"Workflow {flow.name!r}", dict(context), max_bytes=limits.max_args_bytes, max_depth=limits.max_args_depth, root="context"
    )  # fmt: skip
    rows = _Rows()
    rows.add(flow, parent=None, returns=None)
    whole = {"runs": rows.runs, "steps": rows.steps, "edges": rows.edges, "context": json.loads(said), "key": key}
    return json.dumps(whole, ensure_ascii=False)


class _Rows:
    """What `youtility_tasks_flow_start_v1` is given."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.edges: list[dict[str, Any]] = []

    def add(self, flow: Workflow, *, parent: tuple[int, str] | None, returns: str | None) -> None:
        number = len(self.runs)
        name, version = flow.template or (None, None)
        self.runs.append(
            {
                "name": flow.name,
                "template_name": name,
                "template_version": version,
                "returns": returns,
                "deadline_s": None if flow.deadline is None else flow.deadline.total_seconds(),
                "parent": parent,
                "step_count": len(flow.steps),
            }
        )
        inner = []
        for step in flow.steps.values():
            self.steps.append({"run": number, **_step_row(step)})
            self.edges += [
                {"run": number, "parent": before, "child": step.name, "kind": kind}
                for before, kind in step.after.items()
            ]
            if step.sub is not None:
                inner.append(step)
        for step in inner:
            assert step.sub is not None  # noqa: S101 - for the type checker
            self.add(step.sub, parent=(number, step.name), returns=step.returns)


def _step_row(step: Step) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": step.name,
        "kind": step.kind,
        "needs_all": step.join is Join.ALL,
        "edge_count": len(step.after),
        "wait_s": None if step.wait is None else step.wait.total_seconds(),
        "timeout_s": None if step.timeout is None else step.timeout.total_seconds(),
    }
    if step.only_if is not None:
        row["only_if"] = step.only_if.as_json()
    task = step.task
    if task is None:
        return row
    known = {key: value for key, value in step.arguments.items() if not isinstance(value, Reference)}
    refs = {key: value.as_json() for key, value in step.arguments.items() if isinstance(value, Reference)}
    row |= {
        "task_name": task.name,
        "queue_name": task.queue_name,
        "priority": task.stored_priority,
        "refs": refs or None,
        "run_after": None if task.run_after is None else task.run_after.isoformat(),
    }
    if step.kind is StepKind.FAN_OUT:
        return row | _fan_row(step, known, refs)
    row["args"], row["lock"] = enqueue.check_call(task, known, tuple(refs))
    return row


def _fan_row(step: Step, shared: dict[str, Any], refs: dict[str, Any]) -> dict[str, Any]:
    task = step.task
    assert task is not None  # noqa: S101 - for the type checker
    # A marker, so that SQL puts an item's arguments where a verbatim task's belong.
    args: dict[str, Any] = {"args": [], "kwargs": shared, "$verbatim": True} if task.verbatim else shared
    if isinstance(step.over, Reference):
        lock = None if task.lock is None else enqueue.lock_of(task)
        return {"args": args, "over": step.over.as_json(), "item": step.item, "lock": lock}
    items = []
    for own in step.over or ():
        _, lock = enqueue.check_call(task, {**shared, **own}, tuple(refs))
        items.append({"args": dict(own), "lock": lock})
    return {"args": args, "over": {"list": items}}
