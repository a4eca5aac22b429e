"""Dead letters by what went wrong: the groups, and each with an example, its course in time, and what was done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from youtility_tasks import dead_letters, history, listing, operations
from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.dead_letters import Letters
from youtility_tasks.documents import jobs as documents
from youtility_tasks.documents import operations as acts
from youtility_tasks.errors import Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import Redrive
from youtility_tasks.models.jobs import NO_FINGERPRINT
from youtility_tasks.problems import Problem
from youtility_tasks.status import JobStatus

from .acting import Act, Done, Proposal, act
from .jobs import row
from .looking import enter_contents
from .table import page
from .tags import number
from .visit import Shown, Visit

GROUPS, LETTERS, _STEPS = 50, 20, 60
_DONE_LATELY = 10


@page("failures/", takes=("task", "queue", "since"))
def failures(visit: Visit) -> Shown:
    """The groups, the largest first."""
    words = visit.words
    asked = Letters(
        task_name=words.text("task") or None, queue_name=words.text("queue") or None, failed_since=words.instant("since")
    )  # fmt: skip
    found = dead_letters.groups(asked, limit=GROUPS + 1)
    enter_contents(visit, "failures")
    day = f"{timezone.now() - timedelta(days=1):%Y-%m-%dT%H:%M}"
    context = {
        "groups": [_group(each) for each in found[:GROUPS]],
        "are_more": len(found) > GROUPS,
        "letters": sum(each.count for each in found[:GROUPS]),
        "is_narrowed": bool(asked.said()),
        "task": asked.task_name,
        "lately": visit.here(since=day),
        "always": visit.here(since=None),
        "is_lately": asked.failed_since is not None,
        "dead": visit.to("jobs", status="failed", task=asked.task_name, queue=asked.queue_name),
    }
    return Shown("failures.html", "Failures", context)


def _group(each: dead_letters.Group) -> dict[str, Any]:
    return {
        "group": each,
        "says": _says(each),
        "error": each.error_class.rpartition(".")[2] or "No error was said",
        "is_fresh": each.first_failed_at is not None and timezone.now() - each.first_failed_at < timedelta(hours=24),
    }


def _says(each: dead_letters.Group) -> str:
    """The error in plain words, or as the newest letter has it where hardly a word is left of it; empty to an operator."""
    newest = next((line.strip() for line in each.error_message.splitlines() if line.strip()), each.says)
    if len(re.findall(r"\w{2,}", each.says)) <= 1:
        return newest
    first, rest = newest.split()[:1], newest.split()[1:2]
    if each.says.startswith("? ") and first[0].isalpha() and rest == each.says.split()[1:2]:
        return f"{first[0]}{each.says[1:]}"  # a sentence begins with a capital, and that is no name
    return each.says


@page("failures/<tasks_word:fingerprint>/", tab="failures")
def failure(visit: Visit, fingerprint: str) -> Shown:
    """One group; part "done": what was done about it, alone."""
    if not re.fullmatch(rf"[0-9a-f]{{16}}|{NO_FINGERPRINT}", fingerprint):
        raise Problem(404, "no-failure", "No such failure", f"{fingerprint[:40]!r} is no fingerprint: 16 digits and letters from a to f.")  # fmt: skip
    if visit.part == "done":
        return Shown("failure_done.html", "Failure", {"done": _done(visit, fingerprint), "fingerprint": fingerprint})
    asked = Letters(fingerprint=fingerprint)
    found = dead_letters.groups(asked, limit=LETTERS)
    if not found:
        return Shown("failure.html", "Failure", {"fingerprint": fingerprint, "each": None})
    wanted = JobFilter(fingerprint=fingerprint, statuses=[JobStatus.FAILED], tenant_id=visit.tenant_id)
    first = _group(found[0])
    enter_contents(visit, f"failure {fingerprint} ({found[0].task_name})")
    context = {
        "fingerprint": fingerprint,
        "each": first,
        "groups": found,
        "count": sum(each.count for each in found),
        "example": _example(visit, found[0].job_id),
        "letters": [row(each) for each in listing.jobs(wanted, limit=LETTERS)],
        "timeline": _timeline(dead_letters.failed_at(asked)),
        "failure_page": visit.here(part=None),
    }
    return Shown("failure.html", f"{first['error']} in {found[0].task_name}", context)


def _example(visit: Visit, job_id: int) -> Mapping[str, Any] | None:
    last = history.last_attempt(job_id, tenant_id=visit.tenant_id)
    return None if last is None else {"job_id": job_id, **documents.attempt(last)}


def _timeline(instants: Sequence[datetime]) -> Mapping[str, Any] | None:
    """How many failed when, as bars of a picture 100 high, from the first to now."""
    if not instants:
        return None
    now = timezone.now()
    oldest = min(instants[-1], now - timedelta(hours=1))
    step = (now - oldest) / _STEPS
    counts = [0] * _STEPS
    for each in instants:
        counts[min(_STEPS - 1, max(0, int((each - oldest) / step)))] += 1
    most = max(counts)
    bars = [
        {"x": n * 10, "height": (height := max(5, round(100 * count / most))), "y": 100 - height, "count": count,
         "from": oldest + n * step}
        for n, count in enumerate(counts)
        if count
    ]  # fmt: skip
    return {"bars": bars, "since": oldest, "most": most, "count": len(instants)}


# -- what was done about it


def _done(visit: Visit, fingerprint: str) -> list[dict[str, Any]]:
    """Operations and redrives of this failure, newest first."""
    lines = [
        {"kind": "operation", **acts.operation(each), "begun": each.started_at}
        for each in operations.listing(200)
        if each.filter.get("fingerprint") == fingerprint
    ]
    lines += [_redrive(each) for each in dead_letters.listing(100) if each.fingerprint == fingerprint]
    for each in lines:
        each["percent"] = 100 * each["progress"] if each["progress"] is not None else None
    return sorted(lines, key=lambda each: each["begun"], reverse=True)[:_DONE_LATELY]


def _redrive(each: Redrive) -> dict[str, Any]:
    seen = each.done_count + each.refused_count
    return {
        "kind": "redrive",
        "id": each.pk,
        "act": "redrive",
        "status": "stopped" if each.is_stopped else "ended" if each.ended_at else "running",
        "done": each.done_count,
        "jobs": each.total_count,
        "refused_count": each.refused_count,
        "progress": min(1.0, seen / each.total_count) if each.total_count else None,
        "started_by": each.started_by,
        "begun": each.started_at,
    }


class _OneRedrive(forms.Form):
    redrive = forms.IntegerField(min_value=1, max_value=LARGEST_ID)


@act
class StopRedrive(Act):
    """Let a redrive move no more letters."""

    name, needs, label = "stop-redrive", "stop redrive", "Stop"
    Target = _OneRedrive

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """How far it is."""
        found = dead_letters.get(target["redrive"])
        if found.ended_at is not None:
            raise Refused(f"Redrive {found.pk} has ended: {number(found.done_count)} letters were moved.")
        return Proposal(
            f"Stop redrive {found.pk}?",
            (
                f"{number(found.done_count)} of {number(found.total_count)} letters were moved. They come due all the same: a pause of "
                "their task holds them back.",
                "It moves no more letters.",
            ),
            visit.to("failure", found.fingerprint or NO_FINGERPRINT),
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `dead_letters.stop`."""
        found = dead_letters.stop(given["redrive"], reason)
        return Done(f"Redrive {found.pk} is stopped.")
