"""Inside a child, before a step's task runs: what its references stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from youtility_tasks import payload
from youtility_tasks.errors import ResultMissing
from youtility_tasks.models import TaskExecutionHistory, TaskWorkflow, WorkflowStep

from .references import Kind, Reference, from_json

KEY = payload.PLACE
"""In a job's arguments: [its step, its run, the step whose references are to be looked up or none]."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which run a job stands."""

    step_id: int
    workflow_id: int
    refers: int | None


def place(stored: Mapping[str, Any]) -> Place | None:
    """Of which step a job with these arguments is; None for a job without one."""
    said = stored.get(KEY)
    if not isinstance(said, list) or len(said) != 3 or not all(isinstance(each, int | None) for each in said):
        return None
    step_id, workflow_id, refers = said
    return None if step_id is None or workflow_id is None else Place(step_id, workflow_id, refers)


def without_place(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the call alone."""
    return {key: value for key, value in stored.items() if key != KEY}


def opened(stored: dict[str, Any], at: Place, *, verbatim: bool = False) -> dict[str, Any]:
    """The arguments with values in the place of references, in the tenant of this context. Raises ResultMissing.

    Two queries for a step that refers to something, none for others.
    """
    args = without_place(stored)
    if at.refers is None:
        return args
    step = WorkflowStep.objects.filter(pk=at.refers).values("refs", "name").first()
    if step is None:
        raise ResultMissing(f"Step {at.step_id} of workflow {at.workflow_id} is not there any more.")
    references = {name: from_json(each) for name, each in (step["refs"] or {}).items()}
    known = _Known(at.workflow_id, [each.step for each in references.values() if each.step is not None])
    values = {name: known.value(str(step["name"]), each) for name, each in references.items()}
    if verbatim:
        return {**args, "kwargs": {**args.get("kwargs", {}), **values}}
    return {**args, **values}


class _Known:
    """The steps of a run that somebody refers to, read once."""

    def __init__(self, workflow_id: int, names: list[str]) -> None:
        self.workflow_id = workflow_id
        found = WorkflowStep.objects.filter(workflow_id=workflow_id, group_id=None, name__in=names)
        self.steps = {each.name: each for each in found.defer("over", "args", "refs")}

    def value(self, whose: str, reference: Reference) -> Any:
        """What a reference of the step `whose` stands for."""
        if reference.kind is Kind.CONTEXT:
            return _inside(self._context(), reference, f"step {whose!r}: the run's context")
        step = self.steps.get(str(reference.step))
        what = f"step {whose!r}: the {reference.kind} of {reference.step!r}"
        if step is None:
            return _or_else(reference, f"{what} is not there: it has no such step any more")
        match reference.kind:
            case Kind.STATUS:
                return step.status
            case Kind.ERROR:
                if step.status in {"succeeded", "skipped"}:
                    return None
                return {"class": step.error_class, "message": step.error_message, "traceback": _traceback(step)}
            case Kind.RESULTS:
                items = WorkflowStep.objects.filter(group_id=step.pk).order_by("item_index")
                results = [
                    _stored(each, f"{what}, item {n}") for n, each in enumerate(items.values_list("result", flat=True))
                ]
                return _inside(results, reference, what)
        if step.status != "succeeded":
            return _or_else(reference, f"{what} is not there: it ended as {step.status}")
        try:
            return _inside(_stored(step.result, what), reference, what)
        except ResultMissing:
            if reference.has_default:
                return reference.default
            raise

    def _context(self) -> Any:
        root = TaskWorkflow.objects.filter(pk=self.workflow_id).values_list("root_id", flat=True)
        return TaskWorkflow.objects.filter(pk__in=root).values_list("context", flat=True).first()


def _traceback(step: WorkflowStep) -> str:
    """Of the last attempt, as long as the history has it."""
    ended = TaskExecutionHistory.objects.filter(job_id=step.job_id, is_final=True) if step.job_id else None
    return "" if ended is None else ended.order_by("-finished_at").values_list("traceback", flat=True).first() or ""


def _stored(result: Any, what: str) -> Any:
    """A result, unless history could not keep it (`payload.clean`)."""
    if isinstance(result, dict) and result.keys() == {"_dropped"}:
        raise ResultMissing(
            f"{what[:1].upper()}{what[1:]} is not there: {result['_dropped']}. Store it, and return its id."
        )
    return result


def _inside(value: Any, reference: Reference, what: str) -> Any:
    here = value
    for n, key in enumerate(reference.path):
        try:
            if isinstance(here, dict) != isinstance(key, str):
                raise KeyError(key)
            here = here[key]
        except (LookupError, TypeError):
            way = "".join(f"[{each!r}]" for each in reference.path[: n + 1])
            return _or_else(reference, f"{what} has no {way}")
    return here


def _or_else(reference: Reference, why: str) -> Any:
    if reference.has_default:
        return reference.default
    raise ResultMissing(f"{why[:1].upper()}{why[1:]}.")
