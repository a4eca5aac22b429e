"""The first page: six numbers with what they mean, what is wrong before all, and how the work went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from youtility_tasks import attention, metrics, objectives
from youtility_tasks.attention import Kind, Trouble
from youtility_tasks.documents import people as documents
from youtility_tasks.metrics import QueueNumbers, Summary
from youtility_tasks.models import TaskAuditLog

from . import charts
from .charts import SPANS
from .queues import line
from .table import page
from .tags import span as _span
from .visit import Shown, Visit

_TURNS = 5


@dataclass(frozen=True, slots=True)
class Tile:
    """One number and its sentence."""

    label: str
    value: str
    sentence: str
    state: str = ""
    """ "bad" or "warn"; empty: well."""
    to: str = ""


@page("", takes=("span", "until"))
def overview(visit: Visit) -> Shown:
    """The whole page; its charts come by themselves, and so does each part when it is asked for anew."""
    word = visit.words.choice("span", SPANS) or charts.USUAL
    if visit.part == "charts":
        return Shown(
            "work_charts.html", "Charts", {"charts": charts.of_work(visit), "span": word, "spans": list(SPANS)}
        )
    numbers = metrics.glance(tenant_id=visit.tenant_id)
    total, by_queue, _ = metrics.last_hour(tenant_id=visit.tenant_id)
    troubles = attention.troubles(numbers, tenant_id=visit.tenant_id, says_workers=visit.is_ops)
    context = {
        "tiles": _tiles(visit, numbers, total, by_queue, troubles),
        "troubles": [_line(visit, each) for each in troubles],
        "queues": [line(each, by_queue.get(each.queue_name)) for each in numbers],
        "span": word,
        "turns": _turns(visit) if visit.part != "now" else [],
    }
    return Shown("overview_now.html" if visit.part == "now" else "overview.html", "Overview", context)


def _turns(visit: Visit) -> list[dict[str, Any]]:
    """What people changed within a day that work goes by: what is wrong at night somebody may have done in the evening."""
    rows = TaskAuditLog.objects.for_tenant(visit.tenant_id).turns(timezone.now() - timedelta(days=1))
    return [documents.act(each) for each in rows[:_TURNS]]


def _tiles(
    visit: Visit,
    numbers: Sequence[QueueNumbers],
    total: Summary,
    by_queue: dict[str, Summary],
    troubles: Sequence[Trouble],
) -> list[Tile]:
    waiting, running = sum(each.todo for each in numbers), sum(each.doing for each in numbers)
    later, dead = sum(each.scheduled for each in numbers), sum(each.failed for each in numbers)
    worst = max(numbers, key=lambda each: each.oldest_s / objectives.of_queue(each.queue_name).start_within_s)
    promised = objectives.of_queue(worst.queue_name).start_within_s
    fresh = sum(each.facts["count"] for each in troubles if each.kind is Kind.FAILING)
    late = next((each for each in troubles if each.kind is Kind.LATE), None)
    ended = total.succeeded_count + total.failed_count
    share = total.succeeded_count / ended if ended else None
    wait = max(
        (each for each in by_queue.values() if each.wait_p95_ms is not None and each.queue_name),
        key=lambda each: (each.wait_p95_ms or 0) / objectives.of_queue(str(each.queue_name)).start_within_s, default=None,
    )  # fmt: skip
    return [
        Tile(
            "Oldest waits", _span(worst.oldest_s) if waiting else "nothing",
            f"In {worst.queue_name}, the furthest by its promise ({_span(promised)}); {waiting:,} wait in all." if waiting else "Every job that is due runs.",
            "bad" if worst.oldest_s > promised else "warn" if worst.oldest_s > promised / 2 else "", visit.to("jobs", status="todo"),
        ),
        Tile("Running", f"{running:,}", f"{later:,} more {'waits for its time' if later == 1 else 'wait for their time'}.", "", visit.to("jobs", status="doing")),
        Tile(
            "Succeeded", "nothing ended" if share is None else f"{share:.1%}".replace("%", " %"),
            f"Of {ended:,} jobs that ended in the last hour; {total.retried_count:,} attempts are tried again.",
            "" if share is None or share >= 0.98 else "bad" if share < 0.9 else "warn", visit.to("jobs"),
        ),
        Tile(
            "Dead letters", f"{dead:,}",
            f"{fresh:,} of them in the last hour." if fresh else "None in the last hour." if dead else "No job has failed for good.",
            "bad" if fresh >= 10 else "warn" if fresh else "", visit.to("failures"),
        ),
        Tile(
            "95 % begin within", _span((wait.wait_p95_ms or 0) / 1_000) if wait else "nothing began",
            f"In {wait.queue_name}, the slowest by its promise, in the last hour." if wait else "In the last hour.",
            "bad" if wait and (wait.wait_p95_ms or 0) / 1_000 > objectives.of_queue(str(wait.queue_name)).start_within_s else "",
        ),
        Tile(
            "Schedules late", str(late.facts["count"]) if late else "none",
            late.sentence if late else "Each has fired when it was due.", "bad" if late else "", visit.to("schedules"),
        ),
    ]  # fmt: skip


def _line(visit: Visit, trouble: Trouble) -> dict[str, Any]:
    """The trouble, and what goes with it: an act and what it is given, or a label and an address; with a limit that is full, both."""
    facts = trouble.facts
    line: dict[str, Any] = {"trouble": trouble, "act": "", "label": "", "address": ""}
    pause = facts if trouble.kind is Kind.PAUSED else facts.get("pause")
    if pause and (visit.is_ops or pause["tenant"] == visit.tenant_id):
        named = {name: pause[name] or "" for name in ("queue", "task")}
        return line | named | {"act": "resume", "of": pause["tenant"] or ""}
    full = facts.get("full")
    if full:
        named = {name: full[name] or "" for name in ("queue", "task")}
        line |= named | {"act": "limit", "of": full["tenant"] or "", "change": "Change the limit"}
    match trouble.kind:
        case Kind.RETRYING:
            line |= {"label": "See them", "address": visit.to("jobs", status="todo", task=facts["task"])}
        case Kind.STOPPED:
            line |= {"label": "See the schedule", "address": _stopped(visit, facts)}
        case Kind.FAILING:
            line |= {"label": "See the error", "address": visit.to("failures", task=facts["task"])}
        case Kind.UNSERVED if visit.tenant_id is None:
            line |= {"label": "See the workers", "address": visit.to("workers")}
        case Kind.UNSERVED | Kind.WAITING:
            line |= {"label": "See what waits", "address": visit.to("jobs", status="todo", queue=facts["queue"])}
        case Kind.LATE:
            line |= {"label": "See the schedule", "address": visit.to("schedules", state="late")}
        case Kind.OVERDUE:
            line |= {"label": "See the workflow", "address": visit.to("workflows", status="running")}
    return line


def _stopped(visit: Visit, facts: Mapping[str, Any]) -> str:
    """The one schedule that is paused, as somebody who may resume it sees it, or all of them."""
    if facts["count"] > 1:
        return visit.to("schedules", state="paused")
    is_sweeps = facts["tenant"] == 0 and visit.tenant_id is None
    return visit.to("schedule", facts["schedule"], **({"tenant": 0} if is_sweeps else {}))
