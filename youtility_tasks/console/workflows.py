"""Workflows: runs with their graphs, what each step waits for, and the definitions that may be started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from youtility_tasks.errors import UnknownTemplate
from youtility_tasks.models import TaskWorkflow
from youtility_tasks.models.workflows import FLOW_STATUSES
from youtility_tasks.status import LABELS
from youtility_tasks.workflows import critical, drawing, looking
from youtility_tasks.workflows import runs as house
from youtility_tasks.workflows.critical import Leg
from youtility_tasks.workflows.drawing import Drawn
from youtility_tasks.workflows.graph import StepKind
from youtility_tasks.workflows.looking import Wanted

from . import live
from .table import page
from .visit import Shown, Visit
from .words import Words

_PAGE = 30
_MOST_LINES = 400
_MOST_LEGS = 30
_ENDED = ("succeeded", "failed", "cancelled", "skipped")
_LOOK_BACK = timedelta(seconds=5)
"""What a transaction has written that ended after the look before: its instants lie before that."""
_AT_FIRST = timedelta(minutes=2)
"""And at first: this host's clock need not be the database's."""
_COLOURS = {"blocked": "still", "running": "doing"}
_SHADES = ("succeeded", "failed", "aborted", "cancelled", "skipped", "todo", "blocked")


@page("workflows/", takes=("status", "name", "template", "before"))
def workflows(visit: Visit) -> Shown:
    """Runs, newest first."""
    status = visit.words.choice("status", FLOW_STATUSES)
    wanted = Wanted(
        tenant_id=visit.tenant_id,
        status=status or None,
        name=visit.words.text("name") or None,
        template=visit.words.text("template") or None,
        before=visit.words.number("before", least=1),
    )
    found = looking.runs(wanted, limit=_PAGE + 1)
    shown = found[:_PAGE]
    counts = looking.counts([each.pk for each in shown])
    context = {
        "lines": [_line(each, counts[each.pk]) for each in shown],
        "following": shown[-1].pk if len(found) > _PAGE else None,
        "status": status,
        "statuses": FLOW_STATUSES,
        "is_filtered": any(visit.words.text(each) for each in ("status", "name", "template")),
    }
    return Shown("workflows.html", "Workflows", context)


def _line(row: TaskWorkflow, counts: Counter[str]) -> dict[str, Any]:
    total = sum(counts.values())
    parts, at = [], 0.0
    for status in _SHADES:
        if counts[status] and total:
            width = 100 * counts[status] / total
            parts.append((status, f"{at:.2f}", f"{width:.2f}", f"{counts[status]} {LABELS.get(status, status)}"))
            at += width
    ended = total - counts["todo"] - counts["blocked"]
    words = ", ".join(title for _, _, _, title in parts)
    return {
        "row": row,
        "parts": parts,
        "ended": ended,
        "total": total,
        "words": words,
        "colour": colour(row.status),
        "seconds": _seconds(row),
    }


def colour(status: str) -> str:
    """Of a run's chip."""
    return _COLOURS.get(status, status)


def _seconds(row: TaskWorkflow) -> float | None:
    if row.started_at is None:
        return None
    return ((row.ended_at or datetime.now(UTC)) - row.started_at).total_seconds()


# -- one of them


@page("workflows/<tasks_id:workflow_id>/", tab="workflows")
def workflow(visit: Visit, workflow_id: int) -> Shown:
    """One run: its graph, its steps, and what the open ones wait for."""
    run = house.find(workflow_id, with_contents=visit.sees_contents)
    steps = drawing.steps(run)
    has_errors = any(each.error_class or each.status == "failed" for each in steps)
    said = looking.errors(run) if visit.sees_contents and has_errors else {}
    counts = Counter(each.shown for each in steps)
    context: dict[str, Any] = {
        "run": run,
        "line": _line(run, Counter(each.status for each in steps)),
        "counts": [(status, count) for status, count in counts.most_common()],
        "lines": [_step(each, said.get(each.id, "")) for each in _first(_with_items(steps))],
        "left": max(0, len(steps) - _MOST_LINES),
        "waits": [
            (each, drawing.why(each))
            for each in steps
            if each.status == "todo" or (each.status == "blocked" and _is_next(each))
        ][:60],
        "signals": looking.signals(run) if any(each.kind == "signal" for each in steps) else [],
        "awaited": [each for each in steps if each.kind == "signal" and each.status == "blocked"][:20],
        "context": run.context if visit.sees_contents else None,
        "reason": run.reason if visit.sees_contents else "",
        "is_open": run.status in ("blocked", "running"),
        "may_retry": run.status in ("succeeded", "failed", "cancelled") and run.parent_step_id is None,
        "works": visit.sees_contents,
        "here_whole": visit.here(part=None),
        "token": live.token(visit, "workflow", run=run.pk, root=run.root_id),
    }
    legs = critical.path(run, steps)
    context |= _legs(legs)
    if visit.part != "steps":
        picture = drawing.picture(steps, [(each.step.id, each.after.id if each.after else None) for each in legs])
        context["left_out"] = picture["left_out"]
        context["picture"] = {
            **picture,
            "states": visit.to("workflow_states"),
            "status": run.status,
            "job": _job_address(visit),
            "at": _stamp(datetime.now(UTC) - _AT_FIRST),
        }
    return Shown("workflow.html", run.name, context)


def _legs(legs: list[Leg]) -> dict[str, Any]:
    """The critical path as a table; of a long one the legs that took longest, in their order."""
    longest = set(sorted((each.total_s, each.step.id) for each in legs)[-_MOST_LEGS:])
    whole = sum(each.total_s for each in legs if each.step.depth == 0) or 1.0
    lines = [
        {
            "leg": each,
            "shown": each.step.shown,
            "indent": min(each.step.depth, 8),
            "ran": f"{100 * (each.run_s or 0) / whole:.2f}",
            "inside": each.run_s is None and each.step.kind in (StepKind.FAN_OUT, StepKind.SUB),
            "waited": f"{100 * (each.total_s - (each.run_s or 0)) / whole:.2f}",
            "percent": round(100 * each.total_s / whole),
        }
        for each in legs
        if (each.total_s, each.step.id) in longest
    ]
    return {"legs": lines, "legs_count": len(legs), "legs_left": len(legs) - len(lines), "legs_s": whole if legs else 0}


def _job_address(visit: Visit) -> str:
    """Of any job, a nought in the place of its id."""
    return visit.to("job", 1_000_000_000_000_000_007).replace("1000000000000000007", "0")


def _with_items(steps: list[Drawn]) -> list[Drawn]:
    """Behind a fan-out its items that have not succeeded, as far as they are known."""
    return [one for each in steps for one in (each, *(item for item in each.item_rows if item.status != "succeeded"))]


def _first(steps: list[Drawn]) -> list[Drawn]:
    """As many as a table shows; of more than that what needs somebody first, in order."""
    if len(steps) <= _MOST_LINES:
        return steps
    ranked = sorted(steps, key=lambda each: (each.status == "succeeded", each.status == "skipped", each.id))[
        :_MOST_LINES
    ]
    kept = {each.id for each in ranked}
    return [each for each in steps if each.id in kept]


def _is_next(step: Drawn) -> bool:
    """Whether something right before it runs or waits, so that it may be next."""
    return any(each.status == "todo" for each, _ in step.before)


def _step(each: Drawn, said: str) -> dict[str, Any]:
    seconds = (each.ended_at - each.released_at).total_seconds() if each.ended_at and each.released_at else None
    return {
        "step": each,
        "shown": each.shown,
        "indent": min(each.depth, 8),
        "why": drawing.why(each),
        "after": [(before.name, kind) for before, kind in each.before[:4]],
        "more": max(0, len(each.before) - 4),
        "items": sorted(each.items.items()),
        "seconds": seconds,
        "said": said,
    }


def _states(request: HttpRequest, said: Mapping[str, Any]) -> HttpResponse:
    """What has moved since an instant, for the graph."""
    since = Words(request.GET).instant("since") or datetime.now(UTC)
    with live.entered(said):
        status, moved, at = drawing.states(said["run"], said["root"], since - _LOOK_BACK)
    return JsonResponse({"status": status, "at": _stamp(max(at, since)), "moved": moved})


workflow_states = live.view("workflow", _states)


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


# -- definitions


@page("workflows/templates/", tab="workflows")
def workflow_templates(visit: Visit) -> Shown:
    """Every stored definition with its versions."""
    by_name: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for each in looking.templates(visit.tenant_id):
        by_name.setdefault((each["name"], each["tenant_id"]), []).append(each)
    return Shown("templates.html", "Templates", {"found": list(by_name.values())})


@page("workflows/templates/<tasks_id:template_id>/", tab="workflows")
def workflow_template(visit: Visit, template_id: int) -> Shown:
    """One version of a definition, as a picture and as data."""
    found = looking.template(template_id, visit.tenant_id)
    if found is None:
        raise UnknownTemplate(str(template_id), None, ())
    versions = [
        each
        for each in looking.templates(visit.tenant_id)
        if (each["name"], each["tenant_id"]) == (found.name, found.tenant_id)
    ]
    sketch = looking.sketch(found.definition)
    kept = {each["id"] for each in sketch["nodes"][: drawing.MOST_NODES]}
    picture = {
        "nodes": sketch["nodes"][: drawing.MOST_NODES],
        "edges": [each for each in sketch["edges"] if each[0] in kept and each[1] in kept],
        "left_out": len(sketch["nodes"]) - len(kept),
    }
    context = {
        "found": found,
        "versions": versions,
        "is_newest": versions[0]["pk"] == found.pk if versions else True,
        "picture": picture,
        "left_out": picture["left_out"],
        "steps": sketch["nodes"][:_MOST_LINES],
        "definition": found.definition if visit.sees_contents else None,
        "works": visit.sees_contents and bool(visit.tenant_id),
    }
    return Shown("template.html", found.name, context)
