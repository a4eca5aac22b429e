"""Which jobs the address of the list means."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from youtility_tasks import search
from youtility_tasks.errors import SearchRefused
from youtility_tasks.listing import JobFilter
from youtility_tasks.status import LABELS, JobStatus

from .visit import Visit
from .words import Words

PASSING = {"part": None, "newest": None, "before": None, "opened": None}
"""Words that no link leads on with."""
FILTERS = ("status", "queue", "task", "since", "until", "q", "fingerprint")


def wanted(visit: Visit, words: Words | None = None) -> JobFilter:
    """What the address (or these words) asks for, with what the search in it says. Raises Problem 422, SearchRefused."""
    words = words or visit.words
    text = words.text("q", longest=search.LONGEST)
    asked = search.parse(text)
    if visit.tenant_id is not None and asked.tenant_id not in (None, visit.tenant_id):
        raise SearchRefused(f"You look at tenant {visit.tenant_id}, and the search asks for tenant {asked.tenant_id}.")
    given: dict[str, Any] = {
        "statuses": [JobStatus(each) for each in words.choices("status", list(JobStatus))],
        "queue_name": words.text("queue"),
        "since": words.instant("since"),
        "until": words.instant("until"),
        "fingerprint": words.text("fingerprint"),
        "before_id": words.number("before", least=1),
        "tenant_id": visit.tenant_id,
    }
    if task := words.text("task"):
        given["task_names"] = (
            search.parse(f'task:"{task}"').task_names if '"' not in task and "\\" not in task else (task,)
        )
    return dataclasses.replace(asked, **{name: value for name, value in given.items() if value})


def said(visit: Visit) -> list[Mapping[str, str]]:
    """The filters as chips, each with the address that takes it away."""
    return [
        {"name": _NAMES[name], "value": _as_said(visit, name), "without": visit.here(**PASSING | {name: None})}
        for name in FILTERS
        if visit.words.text(name, longest=search.LONGEST)
    ]


_NAMES = {
    "status": "is", "queue": "in", "task": "task", "since": "since", "until": "until", "q": "with", "fingerprint": "error",
}  # fmt: skip


def _as_said(visit: Visit, name: str) -> str:
    match name:
        case "status":
            return " or ".join(LABELS.get(each, each) for each in visit.words.choices(name, list(JobStatus)))
        case "since" | "until" if (instant := visit.words.instant(name)) is not None:
            return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return visit.words.text(name, longest=search.LONGEST)
