"""Which jobs the address of the list means."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
    names = {
        "status": "is",
        "queue": "in",
        "task": "task",
        "since": "since",
        "until": "until",
        "q": "with",
        "fingerprint": "error",
    }
    return [
        {"name": names[name], "value": _as_said(name, visit.words.text(name)), "without": visit.here(**PASSING | {name: None})}
        for name in FILTERS
        if visit.words.text(name)
    ]  # fmt: skip


def _as_said(name: str, value: str) -> str:
    if name == "status":
        return " or ".join(LABELS.get(each.strip(), each.strip()) for each in value.split(","))
    return f"{value[:16].replace('T', ' ')} UTC" if name in ("since", "until") else value
