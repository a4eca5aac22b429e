"""What an id of Celery's form means here, and how that stands: a job, a step of a run, or somebody else's."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from youtility_tasks import history, notes
from youtility_tasks.errors import JobFailed, JobRevoked, NoResult
from youtility_tasks.history import JobStory
from youtility_tasks.models import BridgeCall, TaskDependency, WorkflowStep
from youtility_tasks.status import CELERY_WORDS, JobStatus, Outcome
from youtility_tasks.tenants import acting, current_tenant, no_tenant

from . import exceptions, plain, saying, states, tracing

_LARGEST_ID = 2**63 - 1
_STEP = re.compile(r"([0-9]{1,19}):([ -~]{1,200})")


@dataclass(frozen=True, slots=True)
class Look:
    """How a call stands, in Celery's words."""

    state: str
    result: Any = None
    """Of one that ended well; of one under way what `update_state` said."""
    failure: NoResult | None = None
    traceback: str | None = None
    task_name: str = ""
    job_id: int | None = None
    is_waiting: bool = False
    is_running: bool = False
    date_done: datetime | None = None
    retries: int = 0
    args: Any = None
    kwargs: Any = None
    revoke: Callable[[bool, Any], None] | None = None
    """Of one that is not ours: takes it back there, given `terminate` and `signal`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: a job, or a step of a run."""

    job_id: int | None = None
    workflow_id: int | None = None
    step: str = ""


elsewhere: list[Callable[[str], Look | None]] = []
"""Asked in turn for an id that is none of ours; the side of Celery puts its result backend here."""

members_elsewhere: list[Callable[[str], list[str]]] = []
"""The same for the members of a group that was saved there."""
behind_elsewhere: list[Callable[[str], list[str]]] = []
"""The same for what has begun behind such a call."""


def look(known_as: str) -> Look | None:
    """How the call of this id stands, as the current tenant may see it; None if nobody knows it."""
    with _visible():
        place = place_of(known_as)
        if place is None:
            return next(filter(None, (ask(known_as) for ask in elsewhere)), None)
        if place.job_id is not None:
            return of_story(history.story(place.job_id, tenant_id=current_tenant()), known_as)
        return _of_step(place, known_as)


def place_of(known_as: str) -> Place | None:
    """What an id means: digits are a job's, a run's number and a step's name a step's; others are looked up."""
    if known_as.isascii() and known_as.isdecimal():
        return Place(job_id=int(known_as)) if len(known_as) < 20 and 0 < int(known_as) <= _LARGEST_ID else None
    step = _STEP.fullmatch(known_as)
    if step:
        return Place(workflow_id=int(step[1]), step=step[2]) if int(step[1]) <= _LARGEST_ID else None
    if not known_as.isprintable() or not 0 < len(known_as) <= 255:
        return None
    calls = BridgeCall.objects.filter(celery_id=known_as)
    if (tenant_id := current_tenant()) is not None:
        calls = calls.filter(tenant_id=tenant_id)
    found = calls.order_by("-at").first()
    if found is None or found.side == "shadow" or (found.job_id is None and found.workflow_id is None):
        return None  # Celery has it: what a shadow did is no answer
    return Place(found.job_id, found.workflow_id, found.step)


def of_story(known: JobStory | None, known_as: str) -> Look | None:
    """How a job stands."""
    if known is None:
        return None
    last = known.attempts[-1] if known.attempts else None
    state = CELERY_WORDS[known.status]
    job, result = known.job, None
    if known.status is JobStatus.TODO and job is not None and (job.attempts or job.crash_count):
        state = states.RETRY
    if known.status is JobStatus.SUCCEEDED and last is not None:
        result = plain.opened(last.result)
    elif job is not None and known.status in (JobStatus.TODO, JobStatus.DOING):
        said = notes.kept_by(known.job_id)
        if isinstance(said, dict) and saying.STATE in said:
            state, result = said[saying.STATE], plain.opened(said.get(saying.META))
    elif known.status is JobStatus.ABORTED and last is not None and exceptions.is_dropped(last.error_class):
        state = last.error_message or states.IGNORED
    args, kwargs = known.args.get("args"), known.args.get("kwargs")
    call = (
        tracing.unfolded(args, kwargs)
        if isinstance(args, list) and isinstance(kwargs, dict) and _is_bare(kwargs)
        else None
    )
    return Look(
        state,
        result,
        failure=_failure(known, known_as, state),
        traceback=next((each.traceback for each in reversed(known.attempts) if each.traceback), None),
        task_name=known.task_name,
        job_id=known.job_id,
        is_waiting=known.status is JobStatus.TODO,
        is_running=known.status is JobStatus.DOING,
        date_done=last.finished_at if last is not None and state in states.READY_STATES else None,
        retries=sum(each.outcome == Outcome.RETRY for each in known.attempts),
        args=call.args if call else [],
        kwargs=call.kwargs if call else dict(known.args) if args is None else {},
    )


def behind(known_as: str) -> list[str]:
    """The ids of what begins when the call of this id has succeeded."""
    place = place_of(known_as)
    if place is None:
        return [each for ask in behind_elsewhere for each in ask(known_as)]
    return neighbours(place, behind=True)


def neighbours(place: Place, *, behind: bool) -> list[str]:
    """The ids of the steps that wait for this one's success (`behind`), or whose success it waits for."""
    if place.workflow_id is None:
        return []
    mine, others = ("parent", "child") if behind else ("child", "parent")
    with _visible():
        edges = TaskDependency.objects.filter(**_own()).filter(
            **{f"{mine}__name": place.step, f"{mine}__group_id": None}, workflow_id=place.workflow_id, kind="success"
        )
        names = edges.order_by(f"{others}_id").values_list(f"{others}__name", flat=True)
        return [f"{place.workflow_id}:{name}" for name in names]


def members(workflow_id: int, group: str) -> list[str]:
    """The ids of a group's members, in their order: steps that are named after it."""
    with _visible():
        found = WorkflowStep.objects.filter(workflow_id=workflow_id, name__startswith=f"{group}.", group_id=None)
        names = found.filter(**_own()).order_by("pk").values_list("name", flat=True)
        return [f"{workflow_id}:{name}" for name in names if name.removeprefix(f"{group}.").isdecimal()]


def _visible() -> contextlib.AbstractContextManager[None]:
    """Outside of any tenant: what belongs to none, where the database keeps tenants apart."""
    return no_tenant() if acting() is None else contextlib.nullcontext()


def _own() -> dict[str, Any]:
    tenant_id = current_tenant()
    return {} if tenant_id is None else {"tenant_id": tenant_id}


def _is_bare(kwargs: dict[str, Any]) -> bool:
    """Whether no reference to another step's result stands in it."""
    return (kwargs.get("$celery") or {}).get("before") is None


def _failure(known: JobStory, known_as: str, state: str) -> NoResult | None:
    """Why there is no result and will be none; None for a job that ended well, or has not ended."""
    last = known.attempts[-1] if known.attempts else None
    kept = last.result if last is not None else None
    if known.status is JobStatus.SUCCEEDED and isinstance(kept, dict) and kept.keys() == {"_dropped"}:
        return NoResult(
            f"Job {known_as} ({known.task_name}) ended well, and {kept['_dropped']}. Let it store that and return its id, or raise "
            "YOUTILITY_TASKS['max_result_bytes']."
        )
    if known.status in (JobStatus.TODO, JobStatus.DOING, JobStatus.SUCCEEDED):
        return None
    said = last.error_message if last else ""
    if known.status is JobStatus.FAILED:
        return tracing.raised(known_as, known.task_name, last.error_class if last else "", said)
    if last is not None and last.outcome == Outcome.EXPIRED:
        return JobRevoked(known_as, known.task_name, said)
    why = (
        f"it ended as {state}"
        if last is not None and exceptions.is_dropped(last.error_class)
        else f"{known.status}. {said}"
    )
    return JobRevoked(known_as, known.task_name, why.rstrip())


def _of_step(place: Place, known_as: str) -> Look | None:
    steps = WorkflowStep.objects.filter(workflow_id=place.workflow_id, group_id=None).defer("args", "refs", "over")
    if (tenant_id := current_tenant()) is not None:
        steps = steps.filter(tenant_id=tenant_id)
    step = steps.filter(name=place.step).first()
    if step is None:
        return None
    if step.status == "todo" and step.job_id is not None:
        found = of_story(history.story(step.job_id, tenant_id=current_tenant()), known_as)
        if found is not None and found.failure is None and found.state != states.SUCCESS:
            return found
    ended = _Ended(step, known_as)
    match step.status:
        case "succeeded":
            return ended.look(states.SUCCESS, result=plain.opened(step.result))
        case "failed":
            return ended.look(states.FAILURE, ended.failure())
        case "cancelled" | "aborted":
            dropped = exceptions.is_dropped(step.error_class)
            state = (step.error_message or states.IGNORED) if dropped else states.REVOKED
            return ended.look(state, JobRevoked(known_as, step.task_name, step.error_message or step.status))
        case "skipped":
            first = steps.filter(status__in=["failed", "aborted", "cancelled"]).order_by("ended_at").first()
            if first is None:
                return ended.look(
                    states.IGNORED, JobRevoked(known_as, step.task_name, "nothing it waited for has happened")
                )
            before = _of_step(
                Place(workflow_id=place.workflow_id, step=first.name), f"{place.workflow_id}:{first.name}"
            )
            if before is None or before.state != states.FAILURE:
                return ended.look(
                    states.REVOKED, JobRevoked(known_as, step.task_name, f"{first.name} ended as {first.status}")
                )
            return ended.look(states.FAILURE, before.failure)
    return Look(states.PENDING, task_name=step.task_name, job_id=step.job_id)


class _Ended:
    """A step that has ended, as it is told of."""

    def __init__(self, step: WorkflowStep, known_as: str) -> None:
        self.step, self.known_as = step, known_as

    def failure(self) -> JobFailed:
        """Of one that failed."""
        return tracing.raised(self.known_as, self.step.task_name, self.step.error_class, self.step.error_message)

    def look(self, state: str, failure: NoResult | None = None, result: Any = None) -> Look:
        """Its Look; the traceback is that of its job, as long as that is kept."""
        step, told = self.step, None
        if failure is not None and step.job_id is not None:
            last = history.last_attempt(step.job_id, tenant_id=current_tenant())
            told = last.traceback if last is not None else None
        return Look(
            state, result, failure, told or None, task_name=step.task_name, job_id=step.job_id, date_done=step.ended_at
        )
