"""Hands Beat's schedules over to ours, and back: each in one transaction that ends it there and begins it here.

Rows that Beat may be firing are held first (`holding.py`), so that its tables say what it has fired. What falls due meanwhile is ours, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from youtility_tasks import failpoints, metrics, tenants
from youtility_tasks.conf import settings
from youtility_tasks.errors import NeverFires, ScheduleExists, UnknownSchedule, YoutilityTaskError
from youtility_tasks.models import BridgeSchedule, ScheduledTask
from youtility_tasks.models.bridge_schedules import Side, Source
from youtility_tasks.models.schedules import Kind
from youtility_tasks.schedules import clock, definition, editing
from youtility_tasks.schedules.firing import tenant_of
from youtility_tasks.schedules.reading import read

from . import beat, holding
from .beat import Entry

_REASON = "handed over by Celery's Beat"
_INSTANT = timedelta(microseconds=1)

Read = Callable[[dict[str, BridgeSchedule]], list[Entry]]
"""The entries as they are now."""


@dataclass(slots=True)
class Step:
    """What is to become of one schedule, and why."""

    entry: Entry
    outcome: str
    """make, change, same, left, refused, over, waits, gone, of celery."""
    said: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    why: str = ""
    notes: tuple[str, ...] = ()
    known: BridgeSchedule | None = None


def known_rows() -> list[BridgeSchedule]:
    """What was handed over, or begun to be, of all tenants."""
    found: list[BridgeSchedule] = []
    for tenant_id in [tenants.ALL, *tenants.tenants_in_scope()]:
        with tenant_of(tenant_id):
            found += BridgeSchedule.objects.using(settings().database).filter(tenant_id=tenant_id).order_by("pk")
    return found


def moved(rows: Iterable[BridgeSchedule]) -> dict[str, BridgeSchedule]:
    """Of these the rows of tables that are not Beat's (again), by their id."""
    return {each.source_key: each for each in rows if each.source == Source.TABLE and each.status != Side.BEAT}


def plan(read_entries: Read, now: datetime) -> list[Step]:
    """What `hand_over` would do; changes nothing."""
    rows = known_rows()
    known = {(each.source, each.source_key): each for each in rows}
    found = read_entries(moved(rows))
    steps = [_step(each, known.pop((each.source, each.key), None), now) for each in found]
    for each in known.values():
        if each.status == Side.OURS:
            gone = Entry(Source(each.source), each.source_key, each.name, "", each.tenant_id)
            steps.append(
                Step(
                    gone,
                    "gone",
                    why=f"Beat has it no more; ours goes on. To end it: manage_task_queue schedule remove {each.name!r}",
                    known=each,
                )
            )
    return steps


def hand_over(read_entries: Read, now: datetime, *, beat_wait_s: float) -> tuple[list[Step], bool | None]:
    """Do what `plan` says; the steps as they went, and whether a Beat has answered (None: nobody was asked)."""
    steps = plan(read_entries, now)
    held = [
        each for each in steps if each.outcome == "make" and each.entry.source == Source.TABLE and each.entry.is_enabled
    ]
    answered = None
    if held:
        answered = holding.hold([each.entry for each in held], beat_wait_s)
        steps = plan(read_entries, metrics.database_clock())  # with what Beat has written down by now
    for step in steps:
        if step.outcome in ("make", "change"):
            try:
                _carry_out(step)
            except YoutilityTaskError as error:
                step.outcome, step.why = "refused", str(error)
    for each in known_rows():
        if each.status == Side.HELD:
            holding.let_go(each)
    return steps, answered


def give_back(names: Sequence[str] | None, *, dry_run: bool = False) -> list[Step]:
    """Let Beat fire them again (None: all), from now on; what was due before is ours. Raises UnknownSchedule."""
    rows = [each for each in known_rows() if each.status == Side.OURS]
    unknown = set(names or ()) - {each.name for each in rows}
    if unknown:
        raise UnknownSchedule(min(unknown), "those that Beat has handed over", [each.name for each in rows])
    chosen = [each for each in rows if names is None or each.name in names]
    if dry_run:
        return [
            Step(Entry(Source(each.source), each.source_key, each.name, "", each.tenant_id), "back", known=each)
            for each in chosen
        ]
    return [_give_back(each) for each in chosen]


# -- what is to be done


def _step(entry: Entry, known: BridgeSchedule | None, now: datetime) -> Step:
    if beat.is_celerys_own(entry):
        return Step(entry, "of celery", why="a duty of Celery's own, which ends with Celery", known=known)
    is_ours = known is not None and known.status == Side.OURS
    if entry.flaw:
        return Step(entry, "refused", why=entry.flaw, known=known)
    if entry.is_over and not is_ours:
        return Step(entry, "over", why=entry.is_over, known=known)
    if entry.source == Source.SETTINGS and entry.since is None and not is_ours:
        return Step(entry, "waits", why=_ORDER_OF_SETTINGS, known=known)
    try:
        with tenant_of(entry.tenant_id):
            wanted = _said(entry, known if is_ours else None, now)
            if known is not None and is_ours:
                return _step_of_ours(entry, known, wanted)
            taken = _rows(entry.tenant_id).filter(name=entry.name).exists()
            notes = (*entry.notes, *_beside(entry))
    except NeverFires as error:
        if entry.words.get("until") is not None:
            return Step(entry, "over", why="it has no tick before its `expires`", known=known)
        return Step(entry, "refused", why=str(error).rstrip("."), known=known)
    except YoutilityTaskError as error:
        return Step(entry, "refused", why=str(error).rstrip("."), known=known)
    if taken:
        return Step(
            entry, "refused", why=str(ScheduleExists(entry.name, f"tenant {entry.tenant_id}")).rstrip("."), known=known
        )
    return Step(
        entry,
        "make",
        wanted,
        {word: (None, value) for word, value in wanted.items() if value not in (None, "", {}, 0)},
        notes=notes,
        known=known,
    )


_ORDER_OF_SETTINGS = (
    "Beat's own file, not a table, knows when it has fired: 1. stop Beat (SIGTERM); 2. run this with --beat-file celerybeat-schedule (or, without the file, --beat-stopped-at INSTANT); "
    "3. take the entry out of beat_schedule; 4. start Beat for what is left"
)


def _step_of_ours(entry: Entry, known: BridgeSchedule, wanted: dict[str, Any]) -> Step:
    ours = _rows(known.tenant_id).filter(pk=known.schedule_id).first()
    if entry.source == Source.TABLE and _is_enabled_in_beat(entry):
        why = f"it was enabled in Beat again, and fires on both sides: disable it there, or `migrate_celery_beat --back {entry.name!r}`"
        return Step(entry, "refused", why=why, known=known)
    if entry.tenant_id != known.tenant_id:
        return Step(
            entry,
            "left",
            why=f"it is of tenant {entry.tenant_id} by now, ours is of {known.tenant_id}: remove ours first",
            known=known,
        )
    changes = {word: (known.said.get(word), value) for word, value in wanted.items() if known.said.get(word) != value}
    if entry.name != known.name:
        changes["name"] = (known.name, entry.name)
    if not changes:
        return Step(entry, "same", wanted, known=known)
    if ours is None or definition.as_document(ours) != known.said or ours.name != known.name:
        return Step(entry, "left", wanted, changes, "ours was edited or removed since; it stays as it is", known=known)
    return Step(entry, "change", wanted, changes, notes=entry.notes, known=known)


def _said(entry: Entry, known: BridgeSchedule | None, now: datetime) -> dict[str, Any]:
    """What our schedule would say."""
    row = _draft(entry, now)
    said = definition.as_document(row)
    if (
        known is not None
        and said["kind"] == Kind.INTERVAL == known.said.get("kind")
        and said["every_s"] == known.said["every_s"]
    ):
        said["at"] = known.said["at"]  # from where it counts was settled by the hand-over
    return said


def _draft(entry: Entry, now: datetime) -> ScheduledTask:
    row = ScheduledTask(tenant_id=entry.tenant_id, name=entry.name)
    definition.apply(row, words_of(entry, now))
    definition.check(row, since(entry, now))
    return row


def words_of(entry: Entry, now: datetime) -> dict[str, Any]:
    """What `schedules.create` is given. One that fires once does so at its next tick."""
    words = dict(entry.words)
    if entry.once and set(words) & {"cron", "every_s"}:
        row = ScheduledTask(tenant_id=entry.tenant_id, name=entry.name)
        definition.apply(row, words)
        after = since(entry, now) if entry.starts_at is None else max(since(entry, now), entry.starts_at - _INSTANT)
        tick = clock.next_after(read(row).rule, after)
        gone = {"cron", "every_s", "days", "working_weekdays", "at"}
        words = {word: value for word, value in words.items() if word not in gone} | {"at": tick}
    return words


def since(entry: Entry, now: datetime) -> datetime:
    """Up to when what was due has been fired."""
    if not entry.is_enabled or (entry.starts_at is not None and entry.starts_at > now):
        return now
    if "at" in entry.words and "every_s" not in entry.words:
        at: datetime = entry.words["at"]
        return min(now, at - _INSTANT)  # it has not been fired, or it would be over
    if entry.since is None:
        return now if entry.starts_at is None else entry.starts_at - _INSTANT
    return min(now, entry.since)


def _beside(entry: Entry) -> list[str]:
    others = _rows(entry.tenant_id).filter(task_name=entry.words["task"]).exclude(name=entry.name)
    moved_ids = BridgeSchedule.objects.using(settings().database).values_list("schedule_id", flat=True)
    names = others.exclude(pk__in=[each for each in moved_ids if each is not None]).values_list("name", flat=True)
    return [f"fires beside the schedule {name!r} of the same task" for name in names]


# -- doing it


def _carry_out(step: Step) -> None:
    entry, known = step.entry, step.known
    with tenant_of(entry.tenant_id), transaction.atomic(using=settings().database):
        now = metrics.database_clock()
        if step.outcome == "change" and known is not None:
            row = _changed(step, known, now)
            known.said, known.name, known.changed_at = definition.as_document(row), entry.name, now
            known.save(using=settings().database)
            return
        row = editing.make(entry.name, words_of(entry, now), reason=_REASON, since=since(entry, now))
        if not entry.is_enabled:
            editing.pause(entry.name, reason="disabled in Beat")
        elif entry.starts_at is not None and entry.starts_at > now and row.kind == Kind.CRON:
            editing.pause(entry.name, until=entry.starts_at, reason="start_time of Beat")
        made = known or BridgeSchedule(source=entry.source, source_key=entry.key)
        made.tenant_id, made.name, made.status, made.schedule_id = entry.tenant_id, entry.name, Side.OURS, row.pk
        made.said, made.changed_at = definition.as_document(row), now
        made.was = {
            "is_enabled": entry.is_enabled,
            "start_time": entry.starts_at.isoformat() if entry.starts_at else None,
        }
        made.save(using=settings().database)
        if entry.source == Source.TABLE:
            holding.rows().filter(pk=entry.key).update(enabled=False, start_time=entry.starts_at)
            holding.tell()
        failpoints.reach("beat_handed_over")


def _changed(step: Step, known: BridgeSchedule, now: datetime) -> ScheduledTask:
    entry, words = step.entry, words_of(step.entry, now)
    if entry.name != known.name:
        editing.rename(known.name, entry.name, known.said["task_name"], reason="renamed in Beat")
    if step.said["kind"] == Kind.INTERVAL:
        words["at"] = datetime.fromisoformat(step.said["at"])
    fresh = {"days": "every_day", "working_weekdays": "12345", "zone": "", "tick_argument": ""}
    return editing.change(entry.name, reason="changed in Beat", **{**fresh, **words})


def _give_back(known: BridgeSchedule) -> Step:
    entry = Entry(Source(known.source), known.source_key, known.name, "", known.tenant_id)
    with tenant_of(known.tenant_id), transaction.atomic(using=settings().database):
        row = _rows(known.tenant_id).filter(pk=known.schedule_id).first()
        now = metrics.database_clock()
        step = Step(entry, "back", known=known)
        if row is None:
            step.why = "ours was removed"
        else:
            editing.remove(row.name, reason="handed back to Celery's Beat")
            now = metrics.database_clock()
        has_fired = row is not None and row.kind == Kind.ONCE and row.at is not None and row.at <= now
        is_on = row is None or not (row.is_paused and row.paused_until is None)
        if known.source == Source.TABLE:
            last = _last_tick(row, now) if row is not None else now
            there = holding.rows().filter(pk=known.source_key).update(enabled=is_on and not has_fired, last_run_at=last)
            if not there:
                step.outcome, step.why = "gone", "Beat has it no more, and ours has ended"
            elif has_fired:
                step.why = "it was to run once, and has"
            holding.tell()
        else:
            step.why = "put it back into beat_schedule, and start Beat"
        known.status, known.changed_at = Side.BEAT, now
        known.save(using=settings().database)
    return step


def _last_tick(row: ScheduledTask, now: datetime) -> datetime:
    """What Beat is to believe that it fired last: an interval goes on in its step."""
    if row.kind != Kind.INTERVAL or row.every_s is None:
        return now
    before, _ = clock.latest(read(row).rule, now - timedelta(seconds=2 * row.every_s), now, 1)
    return before[-1] if before else now


def _is_enabled_in_beat(entry: Entry) -> bool:
    return bool(holding.rows().filter(pk=entry.key, enabled=True).exists())


def _rows(tenant_id: int) -> Any:
    return ScheduledTask.objects.using(settings().database).there().for_tenant(tenant_id)
