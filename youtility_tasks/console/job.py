"""One job: where it stands and how it came there, why it waits, its attempts, and what may be done with it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.urls import NoReverseMatch

from youtility_tasks import history, holds, notes, registry
from youtility_tasks import why as house
from youtility_tasks.documents import jobs as documents
from youtility_tasks.errors import JobNotFound
from youtility_tasks.history import JobStory
from youtility_tasks.models import TaskAuditLog, TaskExecutionHistory
from youtility_tasks.status import LABELS, LIVE, JobStatus
from youtility_tasks.why import Because, Why

from .looking import enter_contents
from .table import page
from .tags import span
from .visit import Shown, Visit

_RUNS = 40
_LONGEST_SHOWN = 200_000
"""Characters of a traceback or an output: a page of megabytes helps nobody."""


@page("jobs/<tasks_id:job_id>/", tab="jobs")
def job(visit: Visit, job_id: int) -> Shown:
    """The job with every attempt; part "around": what else is known, part "now": only what changes while it lives."""
    known = history.story(job_id, tenant_id=visit.tenant_id)
    if known is None:
        raise JobNotFound(job_id)
    if visit.part == "around":
        return Shown("job_around.html", f"Job {job_id}", _around(visit, known))
    found = house.of(known) if known.status in LIVE else None
    shown = documents.story(known, () if found or visit.part else holds.held(known.job_id, known.tenant_id, known.job))
    if shown.get("lock"):
        shown["lock_search"] = "lock:" + json.dumps(shown["lock"], ensure_ascii=False)
    context: dict[str, Any] = {
        "job": shown,
        "job_page": visit.here(part=None),
        "told": notes.of_job(known.job) if known.job is not None else None,
        "why": _why(visit, found) if found else None,
        "path": path(known),
        "is_live": known.status in LIVE,
        "every": 24 if known.status is JobStatus.DOING else 30,
    }
    if visit.part != "now":
        enter_contents(visit, f"job {job_id} ({known.task_name})")
        declared = registry.resolve(known.task_name)
        attempts = [_attempt(visit, each) for each in known.attempts]
        begun = sum(each.started_at is not None for each in known.attempts)
        context |= {
            "attempts": attempts[::-1],
            "begun": begun,
            "counted": begun - _begun_again(known),
            "args": documents.args(known) if visit.sees_contents else None,
            "checkpoint": _checkpoint(known) if visit.sees_contents else None,
            "result": _result(known) if visit.sees_contents else None,
            "has_result": known.status is JobStatus.SUCCEEDED and visit.sees_contents,
            "origins": [_origin(visit, each) for each in history.origins(job_id)],
            "catalog": visit.to("catalog_task", declared.name) if declared else "",
        }
    return Shown("job_now.html" if visit.part == "now" else "job.html", f"Job {job_id}", context)


def link(visit: Visit, name: str, *parts: Any, **words: Any) -> str:
    """The address of a page, or nothing where there is no such page (for these)."""
    try:
        return visit.to(name, *parts, **words)
    except NoReverseMatch:
        return ""


# -- how it came to where it stands


def path(known: JobStory) -> list[dict[str, Any]]:
    """Enqueued, due, started, ended: each with its instant, and how long it took to get there."""
    live, last = known.job, known.attempts[-1] if known.attempts else None
    enqueued = live.enqueued_at if live else known.attempts[-1].enqueued_at
    first = known.attempts[0] if known.attempts else None
    starts = [each.started_at for each in known.attempts if each.started_at is not None]
    if live is not None and live.status == JobStatus.DOING and live.claimed_at is not None:
        starts.append(live.claimed_at)
    due = first.scheduled_at if first is not None else live.scheduled_at if live else None
    stops: list[tuple[str, datetime | None]] = [("Enqueued", enqueued), ("Due", max(due or enqueued, enqueued))]
    if starts:
        stops.append(("Started", starts[0]))
    if len(starts) > 1:
        # Attempts that a crash ended begin again under their number: then it is no count of starts.
        which = f"Last of {len(starts)} starts" if _begun_again(known) else f"Started again, attempt {len(starts)}"
        stops.append((which if len(starts) > 2 else "Started again", starts[-1]))
    waits_again = live is not None and live.status == JobStatus.TODO and first is not None
    if waits_again and live is not None and live.scheduled_at is not None:
        stops.append(("Next attempt due", live.scheduled_at))
    if known.status not in LIVE:
        ended = live.failed_at if live is not None else last.finished_at if last else None
        stops.append((LABELS.get(known.status, known.status).capitalize(), ended))
    made: list[dict[str, Any]] = []
    before: datetime | None = None
    for name, at in stops:
        passed = (at - before).total_seconds() if at is not None and before is not None else None
        made.append({"name": name, "at": at, "after": span(passed) if passed is not None and passed >= 0.001 else ""})
        before = at or before
    end = {JobStatus.TODO: "Waits", JobStatus.DOING: "Runs"}.get(known.status)
    if end:
        made.append({"name": end, "at": None, "after": ""})
    made[-1]["status"] = known.status
    return made


def _begun_again(known: JobStory) -> int:
    """How many attempts ended by a crash that did not count, and began again under their number."""
    numbers = [each.attempt for each in known.attempts]
    return sum(number == after for number, after in itertools.pairwise(numbers))


# -- why it does not run


def _why(visit: Visit, found: Why) -> dict[str, Any]:
    facts, links = found.facts, []
    if found.because is Because.LOCK and "job_id" in facts:
        links.append({"label": f"Job {facts['job_id']}", "href": visit.to("job", facts["job_id"])})
    if queue := facts.get("queue"):
        links.append({"label": f"Queue {queue}", "href": link(visit, "queue", queue)})
    if "control_id" in facts:
        links.append({"label": "Limits and pauses", "href": visit.to("queues")})
        if found.because is Because.RUNNING_LIMIT:
            links.append({"label": "What runs under it", "href": _under(visit, facts)})
    if visit.is_ops and facts.get("tenant") and "control_id" in facts:
        links.append({"label": f"Tenant {facts['tenant']}", "href": link(visit, "tenant", facts["tenant"])})
    return {
        "sentence": _said(visit, found),
        "expected": found.expected_start_at if found.because not in (Because.RUNS, Because.READY) else None,
        "links": [each for each in links if each["href"]],
        "pause": facts
        if found.because is Because.PAUSED and (visit.is_ops or facts["tenant"] == visit.tenant_id)
        else None,
        "state": "" if found.because in (Because.RUNS, Because.READY, Because.SCHEDULED, Because.BUSY) else "warn",
    }


def _under(visit: Visit, facts: Mapping[str, Any]) -> str:
    """The jobs that fill a limit."""
    whose = {"tenant": facts["tenant"]} if facts["tenant"] else {}
    return visit.to("jobs", status="doing", queue=facts["queue"], task=facts["task"], **whose)


def _said(visit: Visit, found: Why) -> str:
    """The sentence; to a tenant's people in words without workers and commands."""
    if visit.is_ops:
        return found.sentence
    match found.because:
        case Because.NO_WORKER:
            return f"Nothing works on the queue {found.facts['queue']} at the moment. Those who run this system have to start it."
        case Because.RUNS:
            began = found.facts["claimed_at"]
            lasts = f"It has run for {span((datetime.now(UTC) - began).total_seconds())}." if began else "It runs now."
            return lasts + (" It was asked to end." if "asked to end" in found.sentence else "")
        case Because.UNKNOWN_TASK:
            return f"The running version does not know the task {found.task_name}. It waits until one does, or until it is cancelled."
        case Because.BUSY:
            before = found.facts["before"]
            what = f"{before:,} jobs are before it" if before != 1 else "1 job is before it"
            return f"Others run first: {what}." if before else "It is the next one to run."
    return found.sentence


# -- its attempts


def _attempt(visit: Visit, each: TaskExecutionHistory) -> dict[str, Any]:
    shown = documents.attempt(each)
    cut = {name: _cut(shown[name]) for name in ("error_message", "traceback", "output")} if visit.sees_contents else {}
    message = cut.get("error_message") or ""
    return {
        **shown, **dict.fromkeys(("error_message", "traceback", "output")), **cut,
        "memory": each.peak_memory_kib * 1_024 if each.peak_memory_kib else None,
        "error": each.error_class.rpartition(".")[2],
        "is_long": len(message) > 600 or message.count("\n") > 6,
        "message_start": message[:600],
        "started_at": each.started_at,
        "finished_at": each.finished_at,
    }  # fmt: skip


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[: _LONGEST_SHOWN // 2]}\n\n… {len(text) - _LONGEST_SHOWN:,} characters are left out here …\n\n{text[-_LONGEST_SHOWN // 2 :]}"


def _checkpoint(known: JobStory) -> Any:
    """Where its next attempt goes on; asked of what has run, and has not ended well."""
    has_begun = known.job is not None and (known.attempts or known.status is JobStatus.DOING)
    return notes.kept_by(known.job_id) if has_begun else None


def _result(known: JobStory) -> Any:
    return documents.readable(known.attempts[-1], "result") if known.attempts else None


def _origin(visit: Visit, made: history.Origin) -> dict[str, Any]:
    return {"made": made, "href": link(visit, made.kind, int(made.id))}


# -- around it


def _around(visit: Visit, known: JobStory) -> dict[str, Any]:
    enqueued = known.job.enqueued_at if known.job else known.attempts[0].enqueued_at
    acts = TaskAuditLog.objects.for_tenant(visit.tenant_id).about_job(known.job_id, enqueued)
    runs = history.latest_runs(known.task_name, tenant_id=visit.tenant_id, limit=_RUNS)
    return {"job_id": known.job_id, "task": known.task_name, "acts": list(acts[:20]), "runs": _bars(runs, known.job_id), "table": runs[:10]}  # fmt: skip


def _bars(runs: Sequence[TaskExecutionHistory], job_id: int) -> list[Mapping[str, Any]]:
    """Earlier runs as bars of a picture 100 high, oldest first."""
    longest = max((each.run_ms or 0 for each in runs), default=0) or 1
    return [
        {
            "x": n * 10,
            "height": (height := max(4, round(100 * (each.run_ms or 0) / longest))),
            "y": 100 - height,
            "kind": "succeeded" if each.status == "succeeded" else "failed" if each.status == "failed" else "skipped",
            "is_this": each.job_id == job_id,
            "run": each,
        }
        for n, each in enumerate(reversed(runs))
    ]
