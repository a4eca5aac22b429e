"""What Beat fires, read from django-celery-beat's tables and from `beat_schedule`: each schedule in the words of one of ours, or with why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import schedules as celery_schedules
from django.apps import apps
from django.conf import settings as django_settings
from django.utils import timezone

from youtility_tasks import registry
from youtility_tasks.errors import WrongArguments, WrongSchedule, YoutilityTaskError
from youtility_tasks.models.bridge_schedules import BridgeSchedule, Side, Source

from . import known, positions, sources, timings
from .request import HEADERS
from .sources import TENANT_HEADER, Tenants

_OF_CELERY = "celery."
"""Tasks of Celery itself, as `celery.backend_cleanup`: they end with it."""
_LONGEST_NAME = 128
_KNOWN_OPTIONS = {"queue", "priority", "expires", "expire_seconds", "headers", "exchange", "routing_key"}
_SOLAR = (
    "solar events ({0}) are none of a clock's; give the nearest wall time (`--cron`), or a small task on a cron that asks where the sun is and "
    "enqueues this one"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One schedule of Beat's, as ours."""

    source: Source
    key: str
    """In its source: the row's id, or its name in the settings."""
    name: str
    task_name: str
    tenant_id: int = 0
    words: Mapping[str, Any] = field(default_factory=dict)
    """What `schedules.create` takes."""
    since: datetime | None = None
    """Beat has fired what was due up to then; None: nothing that is known."""
    starts_at: datetime | None = None
    is_enabled: bool = True
    once: bool = False
    """It fires at its next tick alone."""
    notes: tuple[str, ...] = ()
    flaw: str = ""
    """Why it cannot be ours."""
    is_over: str = ""
    """Why it has nothing left to fire."""


@dataclass(frozen=True, slots=True)
class _Said:
    """The same from either source, before it is in our words."""

    entry: Entry
    timing: Any
    """A schedule of Celery's."""
    args: Any
    kwargs: Any
    options: Mapping[str, Any]
    has_run: bool = False
    zone: str = ""


def rows_there() -> bool:
    """Whether django-celery-beat is installed here."""
    return apps.is_installed("django_celery_beat")


def entries(
    app: Any,
    tenants: Tenants,
    now: datetime,
    *,
    beat_stopped_at: datetime | None = None,
    last_runs: Mapping[str, datetime] | None = None,
    moved: Mapping[str, BridgeSchedule] | None = None,
) -> list[Entry]:
    """Every schedule of Beat's: those of the tables, then those of the settings that no row stands for.

    `last_runs`: of the settings' own, by name, as Beat's file has them. `moved`: rows by their id whose hand-over has begun or ended: what it has changed in them is read as it was.
    """
    found = (
        [_in_our_words(said, app, tenants, now) for said in _of_tables(app, moved or {}, beat_stopped_at)]
        if rows_there()
        else []
    )
    names = {each.name for each in found}
    for said in _of_settings(app, beat_stopped_at, last_runs or {}):
        if said.entry.name not in names:
            found.append(_in_our_words(said, app, tenants, now))
    return found


def is_celerys_own(entry: Entry) -> bool:
    """Whether it is a duty of Celery's own, which ends with Celery."""
    return entry.task_name.startswith(_OF_CELERY)


# -- the two sources


def _of_tables(app: Any, moved: Mapping[str, BridgeSchedule], beat_stopped_at: datetime | None) -> Iterator[_Said]:
    from django_celery_beat.models import PeriodicTask

    for row in PeriodicTask.objects.select_related("interval", "crontab", "solar", "clocked").order_by("name"):
        known = moved.get(str(row.pk))
        was = known.was if known is not None else {}
        start_time = _instant(was["start_time"]) if known is not None and known.status == Side.HELD else row.start_time
        entry = Entry(
            Source.TABLE,
            str(row.pk),
            row.name,
            row.task,
            since=row.last_run_at or (row.date_changed if start_time is None else None),  # as Beat has it
            starts_at=start_time,
            is_enabled=was.get("is_enabled", row.enabled),
            once=row.one_off,
        )
        if beat_stopped_at is not None and entry.since is not None:
            entry = replace(
                entry, since=max(entry.since, beat_stopped_at)
            )  # it was killed, and had not written down the last
        options: dict[str, Any] = {
            name: getattr(row, name)
            for name in ("queue", "exchange", "routing_key", "priority", "expires", "expire_seconds")
        }
        try:
            args, kwargs = json.loads(row.args or "[]"), json.loads(row.kwargs or "{}")
            options["headers"] = json.loads(row.headers or "{}")
        except ValueError as error:
            yield _Said(
                replace(entry, flaw=f"its args, kwargs or headers are no JSON ({error}); Beat leaves it out, too"),
                None,
                [],
                {},
                {},
            )
            continue
        timing: Any = row.scheduler
        zone = ""
        if row.crontab is not None:
            timing = {
                name: getattr(row.crontab, name)
                for name in ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
            }
            knows_zones = getattr(django_settings, "DJANGO_CELERY_BEAT_TZ_AWARE", True)
            zone = str(row.crontab.timezone) if knows_zones else str(app.timezone)
        elif row.interval is not None:
            timing = timedelta(**{row.interval.period: row.interval.every})
        yield _Said(entry, timing, args, kwargs, options, bool(row.total_run_count), zone)


def _of_settings(app: Any, beat_stopped_at: datetime | None, last_runs: Mapping[str, datetime]) -> Iterator[_Said]:
    for name, given in sorted((app.conf.beat_schedule or {}).items()):
        runs = [each for each in (last_runs.get(name), beat_stopped_at) if each is not None]
        entry = Entry(Source.SETTINGS, name, name, str(given.get("task", name)), since=max(runs, default=None))
        options = {**(given.get("options") or {})}
        unknown = sorted(
            (set(options) - _KNOWN_OPTIONS)
            | (set(given) - {"task", "schedule", "args", "kwargs", "options", "relative"})
        )
        if unknown:
            entry = replace(
                entry,
                flaw=f"it says {', '.join(unknown)}, which no schedule of ours has; known: {', '.join(sorted(_KNOWN_OPTIONS))}",
            )
        expires = options.pop("expires", None)
        if isinstance(expires, datetime):
            options["expires"] = expires
        elif expires is not None:
            options["expire_seconds"] = expires.total_seconds() if isinstance(expires, timedelta) else expires
        timing = given.get("schedule")
        if isinstance(timing, int | float) and not isinstance(timing, bool):
            timing = timedelta(seconds=timing)
        if isinstance(timing, timedelta) and given.get("relative"):
            timing = celery_schedules.schedule(timing, relative=True)
        yield _Said(entry, timing, given.get("args") or [], given.get("kwargs") or {}, options, zone=str(app.timezone))


# -- in our words


def _in_our_words(said: _Said, app: Any, tenants: Tenants, now: datetime) -> Entry:
    entry = said.entry
    if entry.flaw or is_celerys_own(entry):
        return entry
    try:
        return _translated(said, app, tenants, now)
    except YoutilityTaskError as error:
        return replace(entry, flaw=str(error).rstrip("."))


def _translated(said: _Said, app: Any, tenants: Tenants, now: datetime) -> Entry:
    entry, options = said.entry, said.options
    if len(entry.name) > _LONGEST_NAME or not entry.name.isprintable():
        raise WrongSchedule(
            f"its name has {len(entry.name)} characters; right are 1 to {_LONGEST_NAME} printable ones: rename it in Beat"
        )
    timing, notes = _timing(said, now)
    task = registry.resolve(entry.task_name)
    if task is None:
        raise WrongSchedule(sources.unknown_task(entry.task_name, registry.registered()))
    if not isinstance(said.args, list | tuple) or not isinstance(said.kwargs, Mapping):
        raise WrongArguments(
            f"its args are {said.args!r:.80} and kwargs {said.kwargs!r:.80}; right are a list and an object"
        )
    args, kwargs = positions.by_name(task, list(said.args), dict(said.kwargs))
    bridged = known.of(task)
    if bridged is not None:
        bridged.checked(args, kwargs)
    headers = options.get("headers") or {}
    lost = sorted(set(headers) - {TENANT_HEADER, "periodic_task_name"})
    if lost and bridged is not None:
        kwargs = {**kwargs, HEADERS: {"headers": {name: headers[name] for name in lost}}}
    elif lost:
        raise WrongSchedule(
            f"it sends the headers {', '.join(lost)}, and jobs have none: pass them as arguments of the task"
        )
    queue, about_queue = sources.queue_of(task, _queue(options, app))
    words: dict[str, Any] = {
        "task": task.name,
        "args": {"args": args, "kwargs": kwargs} if task.verbatim else kwargs,
        "queue": queue or "",
        "priority": sources.priority_of(options.get("priority"), is_redis="amqp" not in str(app.conf.broker_url or "")),
        "expire_s": _expiry(options.get("expire_seconds")),
        "until": options.get("expires"),
        **timing,
    }
    over = "its `expires` is past" if words["until"] is not None and words["until"] <= now else ""
    if said.has_run and said.entry.once:
        over = "it was to run once, and has"
    elif (
        not entry.is_enabled
        and isinstance(words.get("at"), datetime)
        and words.get("every_s") is None
        and words["at"] <= now
    ):
        over = "it is disabled, and its time has passed"
    return replace(
        entry,
        task_name=task.name,
        tenant_id=tenants.of_call(task, args or list(said.args), kwargs, headers),
        words=words,
        notes=tuple(filter(None, (*notes, about_queue))),
        is_over=over,
    )


def _timing(said: _Said, now: datetime) -> tuple[dict[str, Any], tuple[str, ...]]:
    given, entry = said.timing, said.entry
    anchor = entry.since or entry.starts_at or now
    match given:
        case None:
            raise WrongSchedule("it has no schedule; Beat leaves it out, too")
        case dict():
            made = timings.of_crontab(given, said.zone)
        case timedelta():
            made = timings.of_interval(given, entry.starts_at if entry.since is None and entry.starts_at else anchor)
        case celery_schedules.crontab() if type(given).__name__ in ("crontab", "TzAwareCrontab"):
            fields = {
                name: getattr(given, f"_orig_{name}")
                for name in ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
            }
            made = timings.of_crontab(fields, str(given.tz or said.zone))
        case celery_schedules.schedule() if type(given) is celery_schedules.schedule:
            cut = timings.truncated(anchor, given.run_every) if given.relative else anchor
            made = timings.of_interval(given.run_every, cut)
        case celery_schedules.solar():
            raise WrongSchedule(_SOLAR.format(given.event))
        case _ if hasattr(given, "clocked_time"):
            at = given.clocked_time
            return {"at": at if at.utcoffset() is not None else timezone.make_aware(at)}, ()
        case _ if hasattr(given, "latitude"):
            raise WrongSchedule(_SOLAR.format(given))
        case _:
            raise WrongSchedule(
                f"its schedule is a {type(given).__module__}.{type(given).__name__}, whose rule only its own code knows; give a crontab or an interval"
            )
    return dict(made.words), made.notes


def _queue(options: Mapping[str, Any], app: Any) -> str | None:
    """The queue that its options lead to. Raises WrongSchedule for an exchange that leads to none we know."""
    if options.get("queue"):
        return str(options["queue"])
    exchange, key = options.get("exchange"), options.get("routing_key")
    if not exchange and not key:
        return None
    for name, queue in app.amqp.queues.items():
        is_its = not exchange or getattr(queue.exchange, "name", None) == exchange
        if is_its and (not key or queue.routing_key == key):
            return str(name)
    raise WrongSchedule(
        f"it goes by exchange {exchange!r} and routing key {key!r}, which lead to no queue of this Celery application; give its queue by name"
    )


def _expiry(given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or given < 1:
        raise WrongSchedule(f"its jobs expire after {given!r} s; right are whole seconds from 1")
    return int(given)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
