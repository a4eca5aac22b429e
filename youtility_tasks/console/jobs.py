"""Jobs as one list, newest first, with what narrows it: status, queue, task, time, and words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from youtility_tasks import listing, metrics
from youtility_tasks.documents import jobs as documents
from youtility_tasks.listing import JobFilter, JobLine
from youtility_tasks.status import LABELS, JobStatus

from . import charts, jobs_acts, operations, pulse, saving
from .asking import FILTERS, PASSING, said, wanted
from .looking import enter_contents
from .table import page
from .visit import Shown, Visit

ROWS = 50
MOST_TOLD = 10_000
_SPANS = (("Any time", None), ("15 min", 900), ("1 hour", 3_600), ("24 hours", 86_400), ("7 days", 604_800))


@page("jobs/", takes=(*FILTERS, "before", "newest", "opened"))
def jobs(visit: Visit) -> Shown:
    """A page of jobs, or a part of it alone: the counts at its side ("rail"), what ended when ("chart")."""
    asked = wanted(visit)
    if visit.part == "rail":
        return Shown("jobs_rail.html", "Jobs", _rail(visit, asked))
    if visit.part == "chart":
        pick = visit.here(**PASSING | {"since": "SINCE", "until": "UNTIL"})
        return Shown(
            "jobs_chart.html",
            "Jobs",
            {"chart": charts.of_jobs(visit, asked, pick), "again": visit.here(**PASSING | {"part": "chart"})},
        )
    found = listing.jobs(asked, limit=ROWS + 1)
    shown, older = found[:ROWS], found[ROWS - 1].job_id if len(found) > ROWS else None
    enter_contents(visit, "list of jobs")
    is_newest = asked.before_id is None
    newest = shown[0].job_id if shown and is_newest else 0
    rail = _rail(visit, asked, newest if is_newest else None)
    context = {
        **rail,
        "all_count": _all_count(visit, rail["statuses"]),
        "rows": [row(each) for each in shown],
        "acts": jobs_acts.offered(visit),
        "of_all": operations.of_all(visit, asked),
        "older": visit.here(**PASSING | {"before": older}) if older else None,
        "first": visit.here(**PASSING),
        "is_newest": is_newest,
        "said": said(visit),
        "is_narrowed": any(name in visit.request.GET for name in FILTERS),
        "everything": visit.to("jobs"),
        "kept": [(name, value) for name in FILTERS if name != "q" for value in visit.request.GET.getlist(name)],
        "spans": _spans(visit),
    }
    return Shown("jobs.html", "Jobs", context)


def row(found: JobLine) -> dict[str, Any]:
    """One line of the list: the job, and the instant that matters most where it stands."""
    shown = documents.line(found)
    first, *_ = [each.strip() for each in found.error_message.splitlines() if each.strip()] or [""]
    return {
        **shown,
        "error": found.error_class.rpartition(".")[2],
        "error_line": first[:200],
        "when": _when(found),
        "percent": found.progress.percent if found.progress and found.status == JobStatus.DOING else None,
    }


def _when(found: JobLine) -> tuple[str, Any]:
    match found.status:
        case JobStatus.DOING:
            return "started", found.started_at or found.enqueued_at
        case JobStatus.TODO if found.scheduled_at is not None and found.scheduled_at > timezone.now():
            return ("next try" if found.attempt_count else "due"), found.scheduled_at
        case JobStatus.TODO:
            return "enqueued", found.enqueued_at
        case JobStatus.FAILED:
            return "failed", found.finished_at or found.enqueued_at
    return "ended", found.finished_at or found.enqueued_at


def _rail(visit: Visit, asked: JobFilter, newest: int | None = None) -> dict[str, Any]:
    counts = metrics.glance(tenant_id=visit.tenant_id)
    here = [each for each in counts if asked.queue_name in (None, each.queue_name)]
    by_status = {
        JobStatus.TODO: sum(each.todo + each.scheduled for each in here),
        JobStatus.DOING: sum(each.doing for each in here),
        JobStatus.FAILED: sum(each.failed for each in here),
    }
    chosen = set(asked.statuses)
    statuses = [
        {
            "name": each,
            "label": LABELS.get(each, each),
            "count": _short(by_status.get(each)),
            "is_chosen": chosen == {each},
            "href": visit.here(**PASSING | {"status": None if chosen == {each} else each}),
        }
        for each in JobStatus
    ]
    totals = {each.queue_name: each.todo + each.scheduled + each.doing + each.failed for each in counts}
    names = [*totals, *([asked.queue_name] if asked.queue_name and asked.queue_name not in totals else [])]
    in_queues = [
        {
            "name": each,
            "count": _short(totals.get(each)),
            "is_chosen": asked.queue_name == each,
            "href": visit.here(**PASSING | {"queue": None if asked.queue_name == each else each}),
        }
        for each in names
    ]
    if newest is None and visit.part:
        newest = visit.words.number("newest")
    opened = visit.words.number("opened") if visit.part else None
    return {
        "statuses": statuses,
        "in_queues": in_queues,
        "views": _views(visit),
        "own_views": saving.of(visit),
        "again": visit.here(**PASSING | {"part": "rail", "newest": newest, "opened": opened or pulse.now()}),
        "newest_page": "?" + visit.here(**PASSING).partition("?")[2],
        "pulse_token": pulse.token(visit, asked, newest, opened=opened) if newest is not None and not _is_searched(asked) else None,
    }  # fmt: skip


def _is_searched(asked: JobFilter) -> bool:
    """Whether it asks for more than `newer` can count."""
    plain = dataclasses.replace(
        asked, statuses=(), queue_name=None, task_names=(), tenant_id=None, since=None, before_id=None
    )  # fmt: skip
    return plain != JobFilter(statuses=())


def _all_count(visit: Visit, statuses: Sequence[Mapping[str, Any]]) -> str:
    """How many match, where the counts at the side say that: for a status and a queue alone. Else the act's own question counts."""
    if not set(visit.request.GET) <= {"status", "queue", "tenant", "before"}:
        return ""
    return next((each["count"] for each in statuses if each["is_chosen"]), "")


def _short(count: int | None) -> str:
    """A count as it fits the side: beyond 10,000 nobody reads the last digits."""
    if count is None:
        return ""
    return f"{count:,}" if count < MOST_TOLD else f"{MOST_TOLD:,}+"


def _views(visit: Visit) -> Sequence[Mapping[str, Any]]:
    """What people look for most often, as links."""
    hour = f"{timezone.now() - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    views: tuple[tuple[str, dict[str, Any]], ...] = (("All jobs", {}), ("Running now", {"status": "doing"}), ("Dead letters", {"status": "failed"}),
             ("Of the last hour", {"since": hour}))  # fmt: skip
    return [{"name": name, "href": visit.to("jobs", **words)} for name, words in views]


def _spans(visit: Visit) -> Sequence[Mapping[str, Any]]:
    now = timezone.now()
    return [
        {"name": name, "href": visit.here(**PASSING | {"until": None, "since": f"{now - timedelta(seconds=s):%Y-%m-%dT%H:%M}" if s else None})}
        for name, s in _SPANS
    ]  # fmt: skip
