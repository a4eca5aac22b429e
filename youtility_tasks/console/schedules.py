"""Schedules: what fires when, what became of it, and what its next times are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from youtility_tasks import membership, queues, registry
from youtility_tasks import schedules as house
from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.errors import EnqueueError, Refused
from youtility_tasks.models import ScheduledTask, TaskAuditLog
from youtility_tasks.models.schedules import Reason
from youtility_tasks.problems import Problem
from youtility_tasks.schedules import editing, looking, reading, upcoming
from youtility_tasks.schedules import words as in_words
from youtility_tasks.schedules.looking import Line, Ran, State, Wanted
from youtility_tasks.visits import For

from . import schedule_forms
from .schedule_forms import NewScheduleForm, ScheduleForm
from .spark import spark
from .table import page
from .visit import Shown, Visit

_PAGE = 30
_OCCURRENCES = 25
_NEXT = 5
_BARS = 30
"""Runs that a line of the list shows."""
STATES = {
    State.LATE: ("late", "bad"),
    State.FAILING: ("last run failed", "bad"),
    State.SKIPPING: ("last run skipped", "warn"),
    State.PAUSED: ("paused", "paused"),
    State.FINE: ("fine", "good"),
    State.OVER: ("over", "still"),
}
"""State -> its words and the colour of its chip."""
_PROBLEMS = {State.LATE, State.FAILING, State.SKIPPING}
_OUTCOMES = {
    "fired": "made a job", "todo": "its job waits", "doing": "its job runs", "succeeded": "succeeded", "failed": "failed",
    "aborted": "its job was aborted", "cancelled": "its job was cancelled", "skipped": "skipped",
}  # fmt: skip
_SEEN_IN_PREVIEW = tuple(NewScheduleForm.base_fields)


@page("schedules/", takes=("task", "queue", "state", "named", "before"))
def schedules(visit: Visit) -> Shown:
    """All of them, what needs somebody first."""
    state = visit.words.choice("state", ["problems", *(each.word for each in State)])
    wanted = Wanted(
        tenant_id=visit.tenant_id,
        task_name=visit.words.text("task") or None,
        queue_name=visit.words.text("queue") or None,
        states=_states(state),
        named=visit.words.text("named") or None,
        after=_after(visit),
    )
    found = looking.lines(wanted, limit=_PAGE + 1)
    lines, last = found[:_PAGE], found[_PAGE - 1] if len(found) > _PAGE else None
    runs = looking.runs([each.row.pk for each in lines], most=_BARS)
    context = {
        "lines": [_line(each, runs[each.row.pk]) for each in lines],
        "following": None if last is None else f"{int(last.state)}.{last.row.pk}",
        "state": state,
        "states": [("problems", "needs somebody"), *((each.word, STATES[each][0]) for each in State)],
        "queues": sorted(queues.configured()),
        "tasks": sorted(registry.registered()),
        "may_make": _works(visit) and visit.may("create schedule"),
        "is_filtered": any(visit.words.text(each) for each in ("task", "queue", "state", "named")),
    }
    return Shown("schedules.html", "Schedules", context)


def _states(word: str) -> set[State] | None:
    if word == "problems":
        return _PROBLEMS
    return {each for each in State if each.word == word} or None


def _after(visit: Visit) -> tuple[int, int] | None:
    said = visit.words.text("before")
    rank, _, last = said.partition(".")
    if not said:
        return None
    is_one = rank in {str(int(each)) for each in State} and last.isascii() and last.isdecimal()
    if not is_one or len(last) > 19 or int(last) > LARGEST_ID:
        raise Problem(422, "wrong-word", "That address cannot be meant", f"before is {said[:40]!r}; right is what a link to the next page says.")  # fmt: skip
    return int(rank), int(last)


def _works(visit: Visit) -> bool:
    """Whether this visitor looks as somebody who could change a schedule here, and not as an operator over all tenants."""
    return visit.sees_contents


def _line(line: Line, runs: Sequence[Ran]) -> dict[str, Any]:
    words, colour = STATES[line.state]
    return {
        "row": line.row,
        "rule": in_words.rule(line.row, line.zone),
        "state": words,
        "colour": colour,
        "why": _why(line),
        "is_due": line.state is not State.LATE
        and line.row.next_at is not None
        and line.row.next_at <= datetime.now(UTC),
        "is_held": line.row.paused_until is None and editing.is_paused(line.row, datetime.now(UTC)),
        "fired_at": line.fired_at,
        "job_id": line.job_id,
        "outcome": _OUTCOMES.get(
            next((each.shown for each in reversed(runs) if each.job_id == line.job_id and line.job_id), ""), ""
        ),
        "spark": spark(((each.shown, _title(each)) for each in runs), _summary(runs)),
        "count": len(runs),
    }


def _why(line: Line) -> str:
    if line.state is State.LATE:
        return "Its time has come and nothing has happened yet."
    if line.state is State.SKIPPING and line.reason:
        return f"{Reason(line.reason).label}."
    return ""


def _title(each: Ran) -> str:
    why = f": {Reason(each.reason).label}" if each.reason else ""
    many = f" ({each.tick_count} times)" if each.tick_count > 1 else ""
    job = f", job {each.job_id}" if each.job_id else ""
    return f"{each.tick_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {_OUTCOMES.get(each.shown, each.shown)}{why}{many}{job}"


def _summary(runs: Sequence[Ran]) -> str:
    if not runs:
        return "It has not run yet"
    counts = Counter(each.shown for each in runs)
    return f"Last {len(runs)} runs: " + ", ".join(
        f"{n} {_OUTCOMES.get(word, word)}" for word, n in counts.most_common()
    )


# -- one of them


@page("schedules/<tasks_id:schedule_id>/", takes=("before",), tab="schedules")
def schedule(visit: Visit, schedule_id: int) -> Shown:
    """One schedule: its next times, what became of the last ones, and who has changed it."""
    row = looking.find(schedule_id, visit.tenant_id)
    before = visit.words.instant("before")
    read = reading.read(row) if visit.part != "runs" else None
    zone = row.zone or reading.tenant_zone(row.tenant_id) if read is None else read.rule.zone.key
    found = looking.occurrences(row, before=before, limit=_OCCURRENCES + 1)
    runs = looking.runs([row.pk])[row.pk]
    shown = {each.job_id: each.shown for each in runs if each.job_id}
    now = datetime.now(UTC)
    context = {
        "row": row,
        "zone": zone,
        "rule": in_words.rule(row, zone),
        "days": in_words.days(row),
        "weekdays": in_words.weekdays(row.working_weekdays),
        "is_paused": editing.is_paused(row, now),
        "paused_until": f"{row.paused_until.astimezone(UTC):%Y-%m-%d %H:%M}" if row.paused_until else "",
        "is_late": row.next_at is not None and (now - row.next_at).total_seconds() > 60,
        "coming": [_tick(each) for each in upcoming.of(read, now, _NEXT)] if read is not None else [],
        "back": visit.to("schedules"),
        "occurrences": [
            (
                each,
                shown.get(each.job_id or 0, each.outcome),
                _reason(each.reason),
                f"{each.tick_at.astimezone(reading.zone_named(zone)):%a %Y-%m-%d %H:%M:%S}",
                f"{each.tick_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
            )
            for each in found[:_OCCURRENCES]
        ],
        "following": found[_OCCURRENCES - 1].tick_at.isoformat() if len(found) > _OCCURRENCES else None,
        "spark": spark(((each.shown, _title(each)) for each in runs), _summary(runs)),
        "summary": _summary(runs),
        "edits": [_edit(each) for each in looking.edits(row)] if read is not None else [],
        "args": schedule_forms.shown_args(row) if visit.sees_contents else None,
        "works": _works(visit),
        "may_edit": visit.may("change schedule"),
    }
    return Shown("schedule.html", row.name, context)


def _reason(word: str) -> str:
    return Reason(word).label if word else ""


def _edit(entry: TaskAuditLog) -> dict[str, Any]:
    """One entry of its history: who, what, and what it said before and after."""
    before, after = entry.before or {}, entry.after or {}
    changes = [
        (name.replace("_", " "), before.get(name), after.get(name))
        for name in after
        if entry.before and before.get(name) != after.get(name) and name != "version"
    ]
    return {
        "at": entry.at,
        "actor": entry.actor,
        "act": entry.act.removesuffix(" schedule"),
        "reason": entry.reason,
        "version": after.get("version"),
        "job": after.get("job"),
        "changes": [(name, _plain(one), _plain(other)) for name, one, other in changes],
    }


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# -- its form


@page("schedules/preview/", scope=For.TENANT_OR_SWEEPS, takes=("schedule", *_SEEN_IN_PREVIEW), tab="schedules")
def schedule_preview(visit: Visit) -> Shown:
    """The next times of a schedule as the form would make it; nothing is changed."""
    number = visit.words.number("schedule", least=1)
    row = looking.find(number, visit.tenant_id) if number is not None else None
    form = ScheduleForm(visit.request.GET)
    wrong: list[str] = []
    coming: list[dict[str, Any]] = []
    if form.is_valid():
        try:
            coming = [_tick(each) for each in _coming(form.cleaned_data, row)]
        except (Refused, EnqueueError) as refused:
            wrong = [str(refused)]
    else:
        wrong = [
            f"{form[name].label}: {message}"
            for name, errors in form.errors.as_data().items()
            for error in errors
            for message in error.messages
            if error.code != "required"
        ]
    context = {"coming": coming, "wrong": wrong, "is_unfinished": not wrong and not form.is_valid()}
    return Shown("schedule_preview.html", "Next times", context)


def _tick(each: upcoming.Upcoming) -> dict[str, Any]:
    ahead = f"{each.wall:%z}"
    return {
        "shown_wall": f"{each.wall:%a %Y-%m-%d %H:%M}" + (f":{each.wall:%S}" if each.wall.second else ""),
        "shown_zone": f"{each.wall.tzname()}, UTC{ahead[:3]}:{ahead[3:5]}",
        "shown_utc": f"{each.tick.astimezone(UTC):%Y-%m-%d %H:%M}",
        "skipped": each.skipped,
        "detail": each.detail,
        "clock": each.clock,
    }


def _coming(given: dict[str, Any], row: ScheduledTask | None) -> list[upcoming.Upcoming]:
    if row is None:
        said = schedule_forms.said(given)
        return house.preview_new(said.pop("task"), _NEXT, **said)
    return house.preview(row.name, _NEXT, **schedule_forms.changed(row, given))


# -- the days that they keep


@page("schedules/holidays/", scope=For.TENANT_OR_SWEEPS, tab="schedules")
def holidays(visit: Visit) -> Shown:
    """The days off that schedules keep, and the zone by whose clock they go."""
    today = datetime.now(UTC).date()
    found = house.holidays.listing()
    context = {
        "coming": [each for each in found if each.day >= today],
        "past": [each for each in found if each.day < today][-20:],
        "zone": reading.tenant_zone(visit.tenant_id or 0),
        "is_tenant": bool(visit.tenant_id),
        "may_edit": membership.covers(visit.place.role, "add holiday") or visit.is_operator,
    }
    return Shown("holidays.html", "Holidays and zone", context)
