"""Planning: which plans are due for occurrences, when those are, and what hangs on them (catalog.md R-SCH)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from task_catalog.rules import cron
from task_catalog.rules.recipients import is_true
from task_catalog.rules.routes import Visit
from task_catalog.rules.tickets import MINUTES_IN

INTERNALTOUR, EXTERNALTOUR, PPM = "INTERNALTOUR", "EXTERNALTOUR", "PPM"
TOURS = (INTERNALTOUR, EXTERNALTOUR)
PLANNED = ("TASK", INTERNALTOUR, EXTERNALTOUR, "SITEREPORT")
"""Kinds of work that `create_job` makes; disjoint from what `create_ppm_job` makes (D5)."""
MAINTAINED = (PPM,)
NEEDS_ASSET = ("TASK", PPM)
"""Kinds of work that are done on something; a tour has its assets at its stops."""
SCRAPPED = "SCRAPPED"

MOST_STOPS = 1_000
"""Visits of one tour, all rounds together; more is a typing error and would not fit into a shift."""
_FLAGS = ("isdynamic", "is_randomized", "istimebound", "deviation")
_SMALLEST_STEP, _BEYOND = Decimal("0.000001"), Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What the rules need to know of a plan; durations in minutes, the cron in its own wall clock."""

    identifier: str
    is_root: bool
    is_enabled: bool
    cron: str
    starts_at: datetime | None
    ends_at: datetime | None
    duration_min: int
    before_min: int
    after_min: int
    names_asset: bool
    """It points to an asset, be it another client's."""
    has_asset: bool
    asset_status: str
    has_qset: bool
    other_info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_tour(self) -> bool:
        return self.identifier in TOURS


def why_not(schedule: Schedule, identifiers: Sequence[str], *, now: datetime) -> str | None:
    """Why a plan is no candidate, or None (R-SCH 1).

    A sweep passes over these in silence; whoever names one by its id is told.
    """
    if not schedule.is_root:
        return "not_root"
    if schedule.identifier not in identifiers:
        return "other_identifier"
    if not schedule.is_enabled:
        return "disabled"
    if is_true(schedule.other_info.get("isdynamic")):
        return "dynamic"
    if schedule.asset_status == SCRAPPED:
        return "scrapped_asset"
    if not cron.is_scheduled(schedule.cron):
        return "not_scheduled"
    if schedule.ends_at is not None and schedule.ends_at < now:
        return "ended"
    return None


def flaw(schedule: Schedule) -> str | None:
    """The reason code of a candidate that cannot be planned until somebody corrects it, or None."""
    if schedule.starts_at is None or schedule.ends_at is None or schedule.starts_at >= schedule.ends_at:
        return "no_window"
    if cron.flaw(schedule.cron) is not None:
        return "bad_cron"
    if (schedule.names_asset or schedule.identifier in NEEDS_ASSET) and not schedule.has_asset:
        return "no_asset"
    if not schedule.is_tour and not schedule.has_qset:
        return "no_qset"
    return None


def occurrences(
    schedule: Schedule, *, offset: int, now: datetime, horizon: timedelta, limit: int = cron.MOST
) -> tuple[datetime, ...]:
    """The cron instants in max(now, start) <= dt < min(now + horizon, end) of a plan without a flaw (R-SCH 2)."""
    if schedule.starts_at is None or schedule.ends_at is None:
        return ()
    start, end = max(now, schedule.starts_at), min(now + horizon, schedule.ends_at)
    return cron.occurrences(schedule.cron, offset=offset, start=start, end=end, limit=limit)


def planned_at(instant: datetime, schedule: Schedule) -> datetime:
    """P: the grace before comes first (R-SCH 3)."""
    return instant - timedelta(minutes=schedule.before_min)


def expires_at(instant: datetime, schedule: Schedule) -> datetime:
    """E of everything but a tour with stops: the duration and the grace after (R-SCH 3)."""
    return instant + timedelta(minutes=schedule.duration_min + schedule.after_min)


def frequency(other_info: Mapping[str, Any]) -> int:
    """How many times a tour goes round; at least once."""
    return max(1, _whole(other_info.get("tour_frequency")))


def break_minutes(other_info: Mapping[str, Any]) -> int:
    """Minutes of rest before each repeat of a tour's round."""
    return max(0, _whole(other_info.get("breaktime")))


def is_randomized(other_info: Mapping[str, Any]) -> bool:
    """Whether a tour's stops come in another order each time; some rows say so with the word "True"."""
    return is_true(other_info.get("is_randomized"))


def needs_route(other_info: Mapping[str, Any], stops: int) -> bool:
    """Whether the way must be computed; else the minutes to each stop are written down with it (R-SCH 7)."""
    return stops > 0 and ((is_randomized(other_info) and stops > 1) or frequency(other_info) > 1)


def fixed_way(travel_min: Iterable[int]) -> list[Visit]:
    """The visits of a tour whose stops say how long it takes to reach them."""
    return [Visit(stop, minutes) for stop, minutes in enumerate(travel_min)]


def chain(starts_at: datetime, visits: Iterable[Visit], *, stay_min: int) -> list[tuple[datetime, datetime]]:
    """P and E of each stop, one after the other from the tour's own P on (R-SCH 6).

    `stay_min` is the tour's duration and grace. The E of the last stop is that of the tour.
    """
    times = []
    reached = starts_at
    for visit in visits:
        begins = reached + timedelta(minutes=visit.travel_min + visit.break_min)
        reached = begins + timedelta(minutes=stay_min)
        times.append((begins, reached))
    return times


@dataclass(frozen=True, slots=True)
class ReminderRule:
    """So many units before the plan time, these addresses are reminded."""

    unit: str
    value: int
    mail_ids: str = ""


def reminder_rules(rows: Iterable[tuple[str, int | None, str | None]]) -> list[ReminderRule] | None:
    """The rules of a plan from rows of unit, value and address; None when a row has no known unit or no value.

    Rows of the same unit and value are one reminder with several addresses.
    """
    found: dict[tuple[str, int], list[str]] = {}
    for unit, value, address in rows:
        if unit not in MINUTES_IN or value is None or value < 0:
            return None
        addresses = found.setdefault((unit, value), [])
        if address and address.strip() and address.strip() not in addresses:
            addresses.append(address.strip())
    return [ReminderRule(unit, value, ",".join(addresses)) for (unit, value), addresses in found.items()]


def remind_at(planned: datetime, rule: ReminderRule, *, now: datetime) -> datetime | None:
    """When to remind; None if that moment is not in the future (R-SCH 13)."""
    try:
        moment = planned - timedelta(minutes=rule.value * MINUTES_IN[rule.unit])
    except OverflowError:  # before the calendar's beginning
        return None
    return moment if moment > now else None


def multifactor(asset_json: object) -> Decimal:
    """What multiplies the readings of an asset: its own number, else 1; six decimals, as the column holds them."""
    given = asset_json.get("multifactor") if isinstance(asset_json, Mapping) else None
    try:
        factor = Decimal(str(given))
    except InvalidOperation:
        return Decimal(1)
    if not factor.is_finite() or abs(factor) >= _BEYOND:
        return Decimal(1)
    return factor.quantize(_SMALLEST_STEP)


def relevant_flags(other_info: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of `other_info` that decide what is planned; flags that closing sets later do not count."""
    return {
        **{flag: is_true(other_info.get(flag)) for flag in _FLAGS},
        "tour_frequency": frequency(other_info),
        "breaktime": break_minutes(other_info),
    }


def fingerprint(relevant: Mapping[str, Any], other_info: Mapping[str, Any], stops: Sequence[Sequence[Any]]) -> str:
    """One word for everything that decides what is planned (R-SCH 10): another word, another plan.

    `relevant` are the plan's own columns, `stops` those of its enabled children in their order. NULL and the NONE row
    must be given as the same value, or a migration between the two would look like an edit.
    """
    facts = {"plan": dict(relevant), "flags": relevant_flags(other_info), "stops": [list(stop) for stop in stops]}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=_instant)
    return hashlib.sha256(text.encode()).hexdigest()


def _instant(value: object) -> str:
    if isinstance(value, datetime):
        return str(value.timestamp())
    raise TypeError(f"{value!r} cannot be part of a plan's fingerprint")


def _whole(value: object) -> int:
    """A whole number from JSON that people wrote: 2, 2.0, "2"; 0 for anything else."""
    try:
        return int(float(str(value)))
    except (OverflowError, ValueError):
        return 0
