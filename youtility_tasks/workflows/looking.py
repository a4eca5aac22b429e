"""Runs as people look for them, with what only their tenant may see; and what a retry would run. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Left

from youtility_tasks import membership, queries
from youtility_tasks.conf import settings
from youtility_tasks.models import TaskWorkflow, WorkflowSignal, WorkflowStep, WorkflowTemplate
from youtility_tasks.models.workflows import TENANTS_OWN
from youtility_tasks.tenants import current_tenant

from .runs import RetryMode, cannot_be_retried, find

_COUNTED = 2_000
_NAMED = 12
_SAID = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs; None means any."""

    tenant_id: int | None = None
    status: str | None = None
    name: str | None = None
    template: str | None = None
    before: int | None = None
    """Only runs with a smaller id."""


@dataclass(frozen=True, slots=True)
class WouldRun:
    """What a retry would run again."""

    step_count: int
    names: Sequence[str]
    """Of the first of them."""


def runs(wanted: Wanted, *, limit: int) -> list[TaskWorkflow]:
    """At most `limit` runs, newest first; without those that are a step of another."""
    found = TaskWorkflow.objects.outermost().for_tenant(wanted.tenant_id).defer(*TENANTS_OWN)
    for column, value in (("status", wanted.status), ("name", wanted.name), ("template_name", wanted.template)):
        if value is not None:
            found = found.filter(**{column: value})
    if wanted.before is not None:
        found = found.filter(pk__lt=wanted.before)
    return list(found.order_by("-pk")[:limit])


def counts(workflow_ids: Sequence[int]) -> dict[int, Counter[str]]:
    """Of each run status -> steps (of a run of more than 2,000, of so many). One query."""
    found: dict[int, Counter[str]] = {each: Counter() for each in workflow_ids}
    if workflow_ids:
        for pk, status, count in queries.fetch("flow_counts", {"workflow_ids": list(workflow_ids), "most": _COUNTED}):
            found[pk][status] = count
    return found


def errors(run: TaskWorkflow, *, limit: int = 200) -> dict[int, str]:
    """Step -> the first words of what its error said: its tenant's own."""
    found = WorkflowStep.objects.filter(tenant_id=run.tenant_id, workflow__root_id=run.root_id)
    said = found.exclude(error_message="").annotate(said=Left("error_message", _SAID)).order_by("pk")
    return dict(said.values_list("pk", "said")[:limit])


def signals(run: TaskWorkflow, *, limit: int = 100) -> list[WorkflowSignal]:
    """What has been sent to it and to the workflows inside it, the latest first, without the payloads."""
    found = WorkflowSignal.objects.filter(tenant_id=run.tenant_id, workflow__root_id=run.root_id)
    return list(found.defer("payload").order_by("-pk")[:limit])


class _Undo(Exception):
    pass


def would_retry(workflow_id: int, mode: RetryMode) -> WouldRun | None:
    """What `retry` would run again: it is done, looked at, and undone. None if nothing of it failed.

    Raises Refused where no way of retrying it is legal now, NotAllowed, WorkflowNotFound.
    """
    run = find(workflow_id)
    membership.allow("retry workflow", run.tenant_id)
    would: WouldRun | None = None
    try:
        with transaction.atomic(using=settings().database):
            rows = queries.fetch("flow_retry", {"workflow_id": run.pk, "mode": mode, "tenant_id": current_tenant()})
            if rows and rows[0][0] not in ("succeeded", "failed", "cancelled"):
                raise cannot_be_retried(run, rows[0][0])
            if rows and rows[0][1] is not None:
                live = WorkflowStep.objects.filter(
                    tenant_id=run.tenant_id, workflow__root_id=run.root_id, status__in=("blocked", "todo")
                )
                names = live.filter(group_id=None).order_by("pk").values_list("name", flat=True)[:_NAMED]
                would = WouldRun(int(rows[0][1]), list(names))
            raise _Undo
    except _Undo:
        return would


def templates(tenant_id: int | None) -> list[dict[str, Any]]:
    """Every version of every stored definition that may be seen, the newest of each first."""
    found = WorkflowTemplate.objects.for_tenant(tenant_id).order_by("name", "-tenant_id", "-version")
    return [
        dict(each) for each in found.values("pk", "tenant_id", "name", "version", "created_at", "created_by")[:1_000]
    ]


def template(pk: int, tenant_id: int | None) -> WorkflowTemplate | None:
    """One version of a stored definition."""
    return WorkflowTemplate.objects.for_tenant(tenant_id).filter(pk=pk).first()


def sketch(definition: dict[str, Any], *, prefix: str = "", inside: str | None = None) -> dict[str, list[Any]]:
    """A definition as `drawing.picture` gives a run: nodes and edges."""
    nodes: list[dict[str, Any]] = []
    edges: list[list[str]] = []
    for each in definition.get("steps", []):
        key = f"{prefix}{each['name']}"
        after = each.get("after") or {}
        nodes.append(
            {
                "id": key, "name": each["name"], "kind": each.get("kind", "task"), "status": "", "of": 0, "counts": {}, "inside": inside,
                "undo": bool(after) and all(kind == "failure" for kind in after.values()), "job": None, "ids": [],
            }
        )  # fmt: skip
        edges += [[f"{prefix}{parent}", key, kind] for parent, kind in after.items()]
        if inside is not None and not after:
            edges.append([inside, key, "inside"])
        if each.get("workflow"):
            inner = sketch(each["workflow"], prefix=f"{key}/", inside=key)
            nodes += inner["nodes"]
            edges += inner["edges"]
    return {"nodes": nodes, "edges": edges}
