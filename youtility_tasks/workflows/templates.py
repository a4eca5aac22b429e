"""Definitions as data, stored by name and version. A version is never changed, and a run has its own copy of what it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from youtility_tasks import audit, membership, payload, registry
from youtility_tasks.conf import settings
from youtility_tasks.errors import UnknownTemplate, WrongWorkflow
from youtility_tasks.models import WorkflowTemplate
from youtility_tasks.tenants import ALL, acting, current_tenant

from . import references
from .definition import Step, Workflow
from .graph import SUCCESS, EdgeKind, Node, StepKind, check
from .references import Reference
from .runs import Run

_LARGEST_BYTES = 4 * 1024 * 1024
_DEEPEST = 100
_KNOWN = {
    "workflow": {"name", "deadline_s", "steps"},
    "task": {"name", "kind", "after", "join", "when", "task", "args", "wait_s", "queue", "priority"},
    "fan_out": {"name", "kind", "after", "join", "when", "task", "args", "over", "item", "queue", "priority"},
    "sub": {"name", "kind", "after", "join", "when", "workflow", "returns"},
    "signal": {"name", "kind", "after", "join", "when", "timeout_s"},
}


def as_data(flow: Workflow) -> dict[str, Any]:
    """A definition as JSON: {"name", "deadline_s", "steps": [{"name", "kind", "after": {step: kind}, ...}]}."""
    order = flow.check()
    data: dict[str, Any] = {"name": flow.name, "steps": [_step_data(flow.steps[name]) for name in order]}
    if flow.deadline is not None:
        data["deadline_s"] = flow.deadline.total_seconds()
    return data


def _step_data(step: Step) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": step.name,
        "kind": step.kind.value,
        "after": dict(step.after),
        "join": step.join.value,
    }
    if step.task is not None:
        data["task"] = step.task.name
        data["args"] = {key: _value(each) for key, each in step.arguments.items()}
        declared = registry.get(step.task.name)
        if step.task.queue_name != declared.queue_name:
            data["queue"] = step.task.queue_name
        if step.task.priority != declared.priority:
            data["priority"] = step.task.priority
    if step.only_if is not None:
        data["when"] = step.only_if.as_json()
    if step.over is not None:
        data["over"] = _value(step.over) if isinstance(step.over, Reference) else [dict(each) for each in step.over]
        data["item"] = step.item if isinstance(step.over, Reference) else None
    if step.sub is not None:
        data |= {"workflow": as_data(step.sub), "returns": step.returns}
    for name, span in (("wait_s", step.wait), ("timeout_s", step.timeout)):
        if span is not None:
            data[name] = span.total_seconds()
    return data


def _value(given: Any) -> Any:
    return given.as_json() if isinstance(given, Reference) else given


def from_data(data: Any) -> Workflow:
    """The definition that this JSON is, checked like one that was said in Python.

    Raises WrongWorkflow, UnknownTask, UnknownStep or Circle, with the place of what cannot be meant; NotJson, TooDeep, TooLarge.
    """
    payload.check("The definition", data, max_bytes=_LARGEST_BYTES, max_depth=_DEEPEST, root="definition")
    return _from_data(data)


def _from_data(data: Any) -> Workflow:
    _object("The definition", data, "workflow")
    steps = data.get("steps")
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise WrongWorkflow(f"The definition has steps={steps!r:.80}; right is a list of steps.")
    flow = Workflow(data.get("name", ""), deadline=_span("deadline_s", data.get("deadline_s")))
    waiting = {}
    for n, each in enumerate(steps):
        kind = each.get("kind", "task") if isinstance(each, Mapping) else None
        if not isinstance(kind, str) or kind not in _KNOWN or kind == "workflow":
            kinds = ", ".join(sorted(_KNOWN.keys() - {"workflow"}))
            raise WrongWorkflow(f"Step {n} of workflow {flow.name!r} is of kind {kind!r}; right is one of {kinds}.")
        _object(f"Step {n} of workflow {flow.name!r}", each, kind)
        name = each.get("name") or each.get("task") or ""
        if not isinstance(name, str):
            raise WrongWorkflow(f"Step {n} of workflow {flow.name!r} is called {name!r:.80}; right is text.")
        if name in waiting:
            raise WrongWorkflow(f"Workflow {flow.name!r} has two steps called {name!r}. Give one another name.")
        waiting[name] = each
    for name in _in_order(flow.name, waiting):
        _add(flow, name, waiting[name])
    flow.check()
    return flow


def _in_order(workflow: str, steps: Mapping[str, Mapping[str, Any]]) -> list[str]:
    nodes = {}
    for name, each in steps.items():
        after = each.get("after", {})
        if isinstance(after, Sequence) and not isinstance(after, str):
            after = dict.fromkeys(after, SUCCESS) if all(isinstance(parent, str) for parent in after) else None
        if not isinstance(after, Mapping):
            raise WrongWorkflow(
                f"Step {name!r} of workflow {workflow!r} has after={each['after']!r:.80}; right is {{step: kind}}."
            )
        nodes[name] = Node(name, after)
    return check(workflow, nodes)


def _add(flow: Workflow, name: str, each: Mapping[str, Any]) -> None:
    after = each.get("after", {})
    if isinstance(after, Mapping):
        edges: Any = {flow.steps[parent]: _kind(flow, name, kind) for parent, kind in after.items()}
    else:
        edges = [flow.steps[parent] for parent in after]
    where: dict[str, Any] = {"name": name, "after": edges, "join": each.get("join", "all")}
    if "when" in each:
        if not references.is_stored(each["when"]):
            raise WrongWorkflow(
                f"Step {name!r} of workflow {flow.name!r} has when={each['when']!r:.80}; right is a condition."
            )
        where["when"] = references.condition_from_json(each["when"], flow)
    match StepKind(each.get("kind", "task")):
        case StepKind.SIGNAL:
            flow.signal(**where, timeout=_span("timeout_s", each.get("timeout_s")))
        case StepKind.SUB:
            flow.sub(_from_data(each.get("workflow")), **where, returns=each.get("returns"))
        case StepKind.FAN_OUT:
            over: Any = each.get("over")
            if references.is_stored(over):
                over = references.from_json(over, flow)
            elif not isinstance(over, Sequence) or isinstance(over, str):
                raise WrongWorkflow(
                    f"Step {name!r} of workflow {flow.name!r} has over={over!r:.80}; right is a list or a reference."
                )
            flow.fan_out(_task(each), over, **where, item=each.get("item"), args=_args(flow, name, each))
        case _:
            flow.step(_task(each), **where, wait=_span("wait_s", each.get("wait_s")), args=_args(flow, name, each))


def _task(each: Mapping[str, Any]) -> Any:
    declared = registry.get(str(each.get("task")))
    if not isinstance(each.get("queue"), str | None):
        raise WrongWorkflow(
            f"A step of task {declared.name!r} has queue={each['queue']!r:.80}; right is a queue's name."
        )
    return declared.using(queue_name=each.get("queue"), priority=each.get("priority"))


def _args(flow: Workflow, name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    given = each.get("args", {})
    if not isinstance(given, Mapping):
        raise WrongWorkflow(f"Step {name!r} of workflow {flow.name!r} has args={given!r:.80}; right is an object.")
    return {
        key: references.from_json(value, flow) if references.is_stored(value) else value for key, value in given.items()
    }


def _kind(flow: Workflow, name: str, given: Any) -> EdgeKind:
    try:
        return EdgeKind(given)
    except ValueError:
        kinds = ", ".join(EdgeKind)
        raise WrongWorkflow(
            f"Step {name!r} of workflow {flow.name!r} comes after another on {given!r}; right is one of {kinds}."
        ) from None


def _span(what: str, given: Any) -> timedelta | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 316_224_000:
        raise WrongWorkflow(f"{what} is {given!r}; right are more than 0 and at most 316224000 seconds (ten years).")
    return timedelta(seconds=given)


def _object(what: str, given: Any, kind: str) -> None:
    if not isinstance(given, Mapping):
        raise WrongWorkflow(f"{what} is {given!r:.80}; right is an object with {', '.join(sorted(_KNOWN[kind]))}.")
    strange = sorted(map(str, given.keys() - _KNOWN[kind]))
    if strange:
        raise WrongWorkflow(
            f"{what} has {strange[0]!r}, which nobody knows; right are {', '.join(sorted(_KNOWN[kind]))}."
        )


def save(flow: Workflow, name: str | None = None) -> int:
    """Store a definition as the next version of a template; its number, from 1. One like the newest version is that version.

    For the current tenant; without one for all of them (with the setting `roles` only operators may). Raises WrongWorkflow.
    """
    data, known_as = as_data(flow), name or flow.name
    payload.check(f"Workflow {flow.name!r}", data, max_bytes=_LARGEST_BYTES, max_depth=_DEEPEST, root="definition")
    whose = current_tenant() or ALL
    for _ in range(5):
        newest = WorkflowTemplate.objects.filter(tenant_id=whose, name=known_as).order_by("-version").first()
        if newest is not None and newest.definition == data:
            return newest.version
        version = 1 if newest is None else newest.version + 1
        try:
            with transaction.atomic(using=settings().database):
                WorkflowTemplate.objects.bulk_create(
                    [
                        WorkflowTemplate(
                            tenant_id=whose, name=known_as, version=version, definition=data, created_by=audit.actor()
                        )
                    ]
                )
                audit.write(
                    "save workflow",
                    f"template {known_as} v{version}",
                    tenant_id=whose or None,
                    after={"steps": len(flow.steps)},
                )
        except IntegrityError:
            continue  # somebody else has just stored that version
        return version
    raise WrongWorkflow(f"Template {known_as!r}: others store versions of it all the time; try again.")


def load(name: str, version: int | None = None) -> Workflow:
    """The definition of a template: this version, or the newest. The current tenant's own goes before everybody's.

    Raises UnknownTemplate, or what `from_data` raises where a task of it is no longer there.
    """
    visible = WorkflowTemplate.objects.for_tenant(current_tenant() if acting() is not None else None)
    if not isinstance(name, str) or payload.clean_text(name) != name:  # the database could not even be asked
        raise UnknownTemplate(name, version, ())
    found = visible.filter(name=name)
    if version is not None:
        found = found.filter(version=version)
    stored = found.order_by("-tenant_id", "-version").first()
    if stored is None:
        raise UnknownTemplate(name, version, visible.values_list("name", flat=True).distinct())
    flow = from_data(stored.definition)
    flow.template = (stored.name, stored.version)
    return flow


def begin(
    name: str,
    version: int | None = None,
    context: Mapping[str, Any] | None = None,
    *,
    key: str | None = None,
    reason: str = "",
) -> tuple[Run, Workflow]:
    """Start a run of a template because a person asked for it: the role is asked, and it is entered in the audit log.

    Raises NotAllowed, UnknownTemplate, and what `Workflow.start` raises; then nothing was written.
    """
    tenant_id = current_tenant()
    membership.allow("start workflow", tenant_id)
    flow = load(name, version)
    with transaction.atomic(using=settings().database):
        started = flow.start(context, key=key)
        known_as, number = flow.template or (name, 0)
        after = {"template": known_as, "version": number}
        target = f"workflow {started.id} ({flow.name})"
        audit.write("start workflow", target, tenant_id=tenant_id, reason=reason, after=after)
    return started, flow


def newest() -> list[dict[str, Any]]:
    """Each template that the current tenant may start, with its newest version."""
    visible = WorkflowTemplate.objects.for_tenant(current_tenant())
    found = visible.values("tenant_id", "name").annotate(version=Max("version")).order_by("name", "tenant_id")
    return [dict(each) for each in found]
