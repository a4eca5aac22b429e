"""A run, and what people do with it: look, send a signal, cancel, retry. Each act is one statement that tests the status itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import connections, transaction

from youtility_tasks import audit, membership, payload, queries, running
from youtility_tasks.conf import settings
from youtility_tasks.errors import Refused, SignalRefused, WorkflowNotFound
from youtility_tasks.models import TaskWorkflow, WorkflowStep
from youtility_tasks.models.workflows import TENANTS_OWN
from youtility_tasks.tenants import current_tenant

on_moved: list[Callable[[], None]] = []
"""Called when somebody has started a run, sent it a signal or retried it, in his transaction; for the inline mode of tests."""

_MOST_CALLS = 50
"""Of a cancel that meets jobs which somebody else has a hold of; the rest is upkeep's."""
_LARGEST_ID = 2**63 - 1

logger = logging.getLogger(__name__)


class RetryMode(StrEnum):
    """What of a run that has ended runs again."""

    FAILED = "failed"
    """What failed, was aborted or cancelled. What was skipped for it is decided anew, what ran stays as it is."""
    DOWNSTREAM = "failed_downstream"
    """The same, and everything that comes after it, also what has run since."""
    ALL = "all"
    """Everything; signals have to be sent anew."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancel has stopped."""

    cancelled: int
    """Steps that had not begun."""
    aborting: int
    """Steps that run and were asked to end; the run ends with the last of them."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run by its id; everything else is asked of the database, as the current tenant (an operator: any) may see it."""

    id: int

    @classmethod
    def by_key(cls, name: str, key: str) -> Run:
        """The run of this workflow that was started with this key, for the current tenant. Raises WorkflowNotFound."""
        if not (_is_storable(name) and _is_storable(key)):
            raise WorkflowNotFound(f"{name}: {key}")
        visible = TaskWorkflow.objects.for_tenant(current_tenant())
        found = visible.filter(name=name, key=key).values_list("pk", flat=True).first()
        if found is None:
            raise WorkflowNotFound(f"{name}: {key}")
        return cls(found)

    @property
    def row(self) -> TaskWorkflow:
        """The run itself. Raises WorkflowNotFound."""
        return find(self.id)

    @property
    def status(self) -> str:
        """blocked, running, succeeded, failed, cancelled or skipped."""
        return self.row.status

    def statuses(self) -> dict[str, str]:
        """Step -> status; of a fan-out the step itself, not its items."""
        found = WorkflowStep.objects.filter(workflow_id=self.row.pk, group_id=None).order_by("pk")
        return dict(found.values_list("name", "status"))

    def step(self, name: str) -> WorkflowStep:
        """One step of it. Raises WorkflowNotFound for a run, KeyError for a step that is not there."""
        found = WorkflowStep.objects.filter(workflow_id=self.row.pk, group_id=None, name=name).first()
        if found is None:
            raise KeyError(name)
        return found

    def signal(self, name: str, payload: Any = None) -> None:
        """See `signal` below."""
        signal(self.id, name, payload)

    def cancel(self, reason: str = "") -> Cancelled:
        """See `cancel` below."""
        return cancel(self.id, reason)

    def retry(self, mode: RetryMode | str = RetryMode.FAILED, reason: str = "") -> int:
        """See `retry` below."""
        return retry(self.id, mode, reason)


def current_workflow() -> Run | None:
    """The run that the job around this code is a step of; None outside of one.

    A task that is also enqueued by itself asks here whether what comes after it is the workflow's business.
    """
    around = running.current.get()
    return None if around is None or around.workflow_id is None else Run(around.workflow_id)


def find(workflow_id: object, *, with_contents: bool = False) -> TaskWorkflow:
    """The run of this id, for the current tenant or (without one) for an operator; `with_contents`: with what is its tenant's own, in the same
    statement. Raises WorkflowNotFound."""
    known_as = workflow_id if isinstance(workflow_id, int) and not isinstance(workflow_id, bool) else 0
    visible = TaskWorkflow.objects.for_tenant(current_tenant())
    if not with_contents:
        visible = visible.defer(*TENANTS_OWN)  # which an operator may not read
    found = visible.filter(pk=known_as).first() if 0 < known_as <= _LARGEST_ID else None
    if found is None:
        raise WorkflowNotFound(workflow_id)
    return found


def signal(workflow_id: int, name: str, said: Any = None, *, reason: str = "") -> None:
    """Send a signal to a run, or to a workflow inside it: the step that waits for it succeeds with `said` as its result.

    In the caller's transaction, and carried on as that commits. One that comes before its step's turn is kept until then. The first
    counts: raises SignalRefused for a second, for a name that nobody waits for and for a step that has ended; WorkflowNotFound;
    NotJson, TooDeep or TooLarge for what cannot be a result.
    """
    limits = settings()
    text = payload.check(
        f"Signal {name!r}", said, max_bytes=limits.max_result_bytes, max_depth=limits.max_args_depth, root="payload"
    )
    run = find(workflow_id)
    if not _is_storable(name):
        raise SignalRefused(f"Workflow {run.pk} ({run.name}): signal {name!r:.200} {_why_not(run, name, 'unknown')}")
    parameters = {
        "workflow_id": run.pk,
        "name": name,
        "payload": None if said is None else text,
        "sent_by": audit.actor(),
    }
    with transaction.atomic(using=limits.database):
        ((answer,),) = queries.fetch("flow_signal", {**parameters, "tenant_id": current_tenant()})
        if answer is None:
            raise WorkflowNotFound(workflow_id)
        if answer != "sent":
            raise SignalRefused(f"Workflow {run.pk} ({run.name}): signal {name!r} {_why_not(run, name, answer)}")
        audit.write(
            "signal workflow",
            f"workflow {run.pk} ({run.name})",
            tenant_id=run.tenant_id,
            reason=reason,
            after={"signal": name},
        )
    moved()
    logger.debug("signal sent workflow=%s name=%s tenant=%s", run.pk, name, run.tenant_id)


def _is_storable(name: object) -> bool:
    """Whether the database could be asked for it; nothing is called otherwise."""
    return isinstance(name, str) and payload.clean_text(name) == name


def moved() -> None:
    """Tell whoever wants to know that steps may have been released."""
    for tell in on_moved:
        tell()


def _why_not(run: TaskWorkflow, name: str, answer: str) -> str:
    if answer == "repeated":
        return "was sent already; the first counts."
    if answer == "ended":
        return "is not waited for any more: its step has ended."
    known = WorkflowStep.objects.filter(workflow__root_id=run.root_id, kind="signal").order_by("pk")
    names = ", ".join(repr(each) for each in known.values_list("name", flat=True)[:8])
    return f"is not waited for; it has {names or 'no signal'}."


def cancel(workflow_id: int, reason: str = "") -> Cancelled:
    """Let nothing more of a run begin, take its waiting jobs off their queues and ask running ones to end.

    Failure edges do not run: nothing does. Raises Refused when it has ended, WorkflowNotFound.
    """
    run, said = find(workflow_id), audit.storable(reason)
    membership.allow("cancel workflow", run.tenant_id)
    cancelled = aborting = 0
    for call in range(_MOST_CALLS):
        with transaction.atomic(using=settings().database):
            rows = queries.fetch("flow_cancel", {"workflow_id": run.pk, "reason": said, "tenant_id": current_tenant()})
            if not rows:
                raise WorkflowNotFound(workflow_id)
            ((status, stopped, aborting_now, missed),) = rows
            if status != "running":
                if call == 0:
                    raise Refused(f"Workflow {run.pk} ({run.name}) cannot be cancelled: {_STANDS[status]}")
                break
            if call == 0:
                audit.write(
                    "cancel workflow", f"workflow {run.pk} ({run.name})", tenant_id=run.tenant_id, reason=said,
                    after={"cancelled": stopped, "aborting": aborting_now},
                )  # fmt: skip
        cancelled, aborting = cancelled + stopped, aborting_now
        # Inside a transaction of the caller's nobody could let go of them meanwhile; upkeep looks for them, too.
        if not missed or connections[settings().database].in_atomic_block:
            break
        time.sleep(0.02)
    logger.info(
        "workflow cancelled id=%s name=%s tenant=%s cancelled=%s aborting=%s",
        run.pk,
        run.name,
        run.tenant_id,
        cancelled,
        aborting,
    )
    return Cancelled(cancelled, aborting)


def retry(workflow_id: int, mode: RetryMode | str = RetryMode.FAILED, reason: str = "") -> int:
    """Run a run that has ended again, wholly or in part; how many steps begin anew (those that are skipped may become more).

    Raises Refused when it has not ended, is a part of another, nothing of it failed, or a job of it was retried by itself and has not
    ended; WorkflowNotFound.
    """
    try:
        wanted = RetryMode(mode)
    except ValueError:
        raise Refused(f"A workflow is retried by {', '.join(RetryMode)}; given: {mode!r}.") from None
    run, said = find(workflow_id), audit.storable(reason)
    membership.allow("retry workflow", run.tenant_id)
    if run.parent_step_id is not None:
        raise Refused(f"Workflow {run.pk} ({run.name}) is a step of workflow {run.root_id}: retry that one.")
    with transaction.atomic(using=settings().database):
        rows = queries.fetch("flow_retry", {"workflow_id": run.pk, "mode": wanted, "tenant_id": current_tenant()})
        if not rows:
            raise WorkflowNotFound(workflow_id)
        ((status, again),) = rows
        if again is None:
            raise cannot_be_retried(run, status)
        audit.write(
            "retry workflow", f"workflow {run.pk} ({run.name})", tenant_id=run.tenant_id, reason=said,
            before={"status": status}, after={"mode": wanted.value, "steps": again},
        )  # fmt: skip
    logger.info(
        "workflow retried id=%s name=%s tenant=%s mode=%s steps=%s", run.pk, run.name, run.tenant_id, wanted, again
    )
    moved()
    return int(again)


def cannot_be_retried(run: TaskWorkflow, status: str) -> Refused:
    """Why not, by what `youtility_tasks_flow_retry_v1` says of it."""
    return Refused(f"Workflow {run.pk} ({run.name}) cannot be retried: {_STANDS[status]}")


_STANDS: Mapping[str, str] = {
    "running": "it runs. Wait for its end, or `cancel` it.",
    "blocked": "it has not begun: it is a step of another.",
    "succeeded": "it has succeeded. Retry with mode 'all' runs everything again.",
    "failed": "it has failed. `retry` runs it again.",
    "cancelled": "it was cancelled. `retry` runs it again.",
    "skipped": "it was skipped as a step of another.",
    "apart": "a job of it, which was retried by itself, waits or runs. Wait for its end, or cancel that job.",
}
