"""Operations on all jobs that a filter means: what was begun, how far each is; and the acts that begin, stop and undo one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from youtility_tasks import operations as house
from youtility_tasks import search
from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.conf import settings
from youtility_tasks.documents import operations as documents
from youtility_tasks.errors import Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import TaskOperation
from youtility_tasks.status import JobStatus

from . import asking
from .acting import Act, Done, Form, Proposal, act
from .table import page
from .tags import number, span
from .visit import Shown, Visit
from .words import Words

ROWS = 50
_TITLES = {
    "retry": "Retry dead letters", "cancel": "Cancel waiting jobs", "abort": "End running jobs", "discard": "Discard dead letters",
    "priority": "Change the priority of waiting jobs", "run now": "Run later jobs now", "undo": "Undo",
}  # fmt: skip


@page("operations/", takes=("before",), tab="jobs")
def operations(visit: Visit) -> Shown:
    """Those that there were, newest first."""
    found = house.listing(ROWS + 1, before_id=visit.words.number("before", least=1))
    older = visit.here(before=found[ROWS - 1].pk) if len(found) > ROWS else None
    return Shown("operations.html", "Operations", {"rows": [_line(each) for each in found[:ROWS]], "older": older})


@page("operations/<tasks_id:operation_id>/", tab="jobs")
def operation(visit: Visit, operation_id: int) -> Shown:
    """One, as far as it is now."""
    row = house.get(operation_id)
    line = _line(row)
    if not house.is_undoable(row):
        line["undo_until"] = None
    return Shown("operation.html", f"Operation {row.pk}", {"each": line, "filters": _filters(row.filter)})


def _line(row: TaskOperation) -> dict[str, Any]:
    shown = documents.operation(row)
    until = house.undo_until(row)
    may_undo = shown["undo_until"] is not None and until is not None
    return {
        **shown,
        "title": _TITLES.get(row.act, row.act) + (f" of operation {row.undoes_id}" if row.undoes_id else ""),
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "undo_until": until if may_undo else None,
        "percent": None if shown["progress"] is None else 100 * shown["progress"],
        "runs": row.ended_at is None,
    }


def _filters(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), ", ".join(map(str, value)) if isinstance(value, list) else str(value)) for name, value in said.items()]  # fmt: skip


# -- acts


class _Matching(forms.Form):
    """The filter, in the words of the list of jobs."""

    status = forms.CharField(required=False, max_length=64)
    queue = forms.CharField(required=False, max_length=128)
    task = forms.CharField(required=False, max_length=128)
    since = forms.CharField(required=False, max_length=64)
    until = forms.CharField(required=False, max_length=64)
    q = forms.CharField(required=False, max_length=search.LONGEST)
    fingerprint = forms.CharField(required=False, max_length=16)


class _Rate(Form):
    rate_per_s = forms.FloatField(
        required=False, min_value=0.01, max_value=10_000, label="Jobs a second",
        help_text="How fast they come due. Empty: all at once.",
    )  # fmt: skip


def _wanted(visit: Visit, target: Mapping[str, Any]) -> JobFilter:
    given = QueryDict(mutable=True)
    for name in _Matching.base_fields:
        if target.get(name):
            given[name] = target[name]
    return asking.wanted(visit, Words(given))


class _OfAll(Act):
    Target = _Matching
    does: ClassVar[house.Act]
    becomes: ClassVar[str]

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """How many, of which tasks, what is left alone, and whether it can be undone."""
        seen = house.preview(self.does, _wanted(visit, target))
        if not seen.count:
            left = " ".join(_left(why, n) for why, n in seen.left_alone.items())
            raise Refused(f"There is no job that this is for. {left}".strip())
        many = f"{'more than ' if seen.is_capped else ''}{number(seen.count)} {'job' if seen.count == 1 else 'jobs'}"
        tasks = ", ".join(f"{name} {number(n)}" for name, n in list(seen.by_task.items())[:6])
        more = " and others" if len(seen.by_task) > 6 else ""
        whose = "of all tenants" if visit.tenant_id is None else f"of tenant {visit.tenant_id}"
        undone = (
            f"It can be stopped, and undone for {span(settings().operation_undo_s)} after it has ended."
            if seen.is_undone
            else "It can be stopped; what it has done cannot be undone."
        )
        others = tuple(_left(why, n) for why, n in seen.left_alone.items())
        return Proposal(
            f"{self.label} {many} {whose}?",
            (f"By task: {tasks}{more}.", self.becomes, *others, undone),
            visit.to("jobs"),
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `operations.begin`."""
        row = house.begin(self.does, _wanted(visit, given), reason=reason, rate_per_s=given.get("rate_per_s"))
        return Done(f"Operation {row.pk} has begun. Workers carry it out.", visit.to("operation", row.pk))


def _left(why: str, count: int) -> str:
    """Why so many are left alone; without the command that is for them, which is no word of a page."""
    return f"{number(count)} {'is' if count == 1 else 'are'} left alone: {why.partition(':')[0]}."


@act
class RetryAll(_OfAll):
    """All dead letters that the list shows, and those beyond its page."""

    name, needs, label = "retry-all", "retry", "Retry"
    confirm = "Retry them all"
    does = house.Act.RETRY
    becomes = "Each goes back to its queue with a fresh set of attempts."
    Fields = _Rate


@act
class CancelAll(_OfAll):
    """All waiting jobs."""

    name, needs, label = "cancel-all", "cancel", "Cancel"
    confirm = "Cancel them all"
    hurts = True
    does = house.Act.CANCEL
    becomes = "They leave their queues and will not run. Those that run are not touched."


@act
class DiscardAll(_OfAll):
    """All dead letters, for good."""

    name, needs, label = "discard-all", "discard", "Discard"
    confirm = "Discard them all"
    hurts = True
    does = house.Act.DISCARD
    becomes = "They leave the dead letters and will not run again. Their history stays."


def of_all(visit: Visit, asked: JobFilter) -> list[Mapping[str, Any]]:
    """The acts on everything that the list of jobs means; which fit depends on the status that it shows."""
    fits: dict[JobStatus, tuple[type[_OfAll], ...]] = {
        JobStatus.FAILED: (RetryAll, DiscardAll),
        JobStatus.TODO: (CancelAll,),
    }
    status = next(iter(asked.statuses)) if len(asked.statuses) == 1 else None
    target = {name: visit.words.text(name, longest=search.LONGEST) for name in _Matching.base_fields}
    return [
        {"label": f"{each.label} all", "hurts": each.hurts,
         "address": visit.to(f"act-{each.name}", next=visit.here(part=None), **target)}
        for each in (fits.get(status, ()) if status is not None else ())
        if visit.may(each.needs)
    ]  # fmt: skip


class _One(forms.Form):
    operation = forms.IntegerField(min_value=1, max_value=LARGEST_ID)


@act
class StopOperation(Act):
    """Let it act on no more jobs."""

    name, needs, label = "stop-operation", "stop operation", "Stop"
    Target = _One

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """How far it is."""
        row = house.get(target["operation"])
        if row.ended_at is not None:
            raise Refused(f"Operation {row.pk} has ended: {number(row.done_count)} jobs were acted on.")
        return Proposal(
            f"Stop operation {row.pk}?",
            (f"{number(row.done_count)} jobs were acted on so far; that stays as it is.", "It acts on no more jobs."),
            visit.to("operation", row.pk),
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `operations.stop`."""
        row = house.stop(given["operation"], reason)
        return Done(f"Operation {row.pk} is stopped.", visit.to("operation", row.pk))


@act
class UndoOperation(Act):
    """Put its jobs back."""

    name, needs, label = "undo-operation", "undo operation", "Undo"
    Target = _One

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What is put back, and what is not."""
        row = house.get(target["operation"])
        if row.ended_at is None:
            raise Refused(f"Operation {row.pk} goes on. Stop it first; then it can be undone.")
        return Proposal(
            f"Undo operation {row.pk}?",
            (
                f"Its {number(row.done_count)} jobs are put back as they stood.",
                "A job to which something else has happened since stays as it is, and is told.",
            ),
            visit.to("operation", row.pk),
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `operations.undo`."""
        row = house.undo(given["operation"], reason)
        return Done(f"Operation {row.pk} puts the jobs back.", visit.to("operation", row.pk))
