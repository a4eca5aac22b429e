"""A clock that stands still until the test moves it, for jobs that wait, retries, schedules and timers of workflows.

The queue goes by the database's clock, which no test can stop. So rows keep the instants that the test means, and are moved to
the database's own for the length of the statement that compares them (a claim, a look at timeouts), then back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from django.conf import settings as django_settings
from django.utils import timezone

from youtility_tasks import metrics, queries

_FAR = timedelta(days=1)
"""What is not due is put off so much further, or it would come due while the statement runs."""

_current: list[Clock] = []


class Clock:
    """Stands at one instant until it is moved; never backwards."""

    def __init__(self, at: datetime) -> None:
        self._now = _aware(at)
        self._caught_up_to = _database_clock()

    def now(self) -> datetime:
        """The instant at which it stands, in UTC."""
        return self._now

    def tick(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move on by a timedelta, or by its parts: `tick(hours=2)`; the instant it has come to. Runs nothing."""
        return self.move_to(self._now + duration(by, parts))

    def move_to(self, instant: datetime) -> datetime:
        """Move on to an instant. Runs nothing. Raises ValueError for one that is past."""
        wanted = _aware(instant)
        if wanted < self._now:
            raise ValueError(f"The clock stands at {self._now.isoformat()} and cannot go back to {wanted.isoformat()}.")
        self.catch_up()
        self._now = wanted
        return wanted

    def catch_up(self) -> None:
        """Count what the database has timed by itself (waits, timeouts, deadlines of workflows) from where this clock stands."""
        told = {"since": self._caught_up_to, "now": self._now}
        self._caught_up_to = queries.fetch("frozen_catch_up", told)[0][0]

    @contextlib.contextmanager
    def shown_to_database(self) -> Iterator[list[int]]:
        """For the block, what waits stands to the database's clock as it does to this one. Give it the jobs that it claims."""
        self.catch_up()
        real, claimed = _database_clock(), list[int]()
        queries.fetch("frozen_move", {"old": self._now, "new": real, "far": _FAR, "jobs": []})
        yield claimed
        queries.fetch("frozen_move", {"old": real, "new": self._now, "far": -_FAR, "jobs": claimed})


def current() -> Clock | None:
    """The clock of the innermost `frozen`; None where time is the database's."""
    return _current[-1] if _current else None


@contextlib.contextmanager
def frozen(at: datetime | None = None) -> Iterator[Clock]:
    """Stop the clock of the queue, at an aware datetime or now: `with frozen(at=...) as clock: ... clock.tick(hours=2)`.

    What waits for a time, retries, expiry, schedules, and waits, timeouts and deadlines of workflows go by it, and so does
    `django.utils.timezone.now()`, called by that name. Not: Python's own `datetime.now()` (freezegun or time-machine do that), when
    a job says it was enqueued, the history, rates and pauses with an end, leases of effects. Needs the database.
    """
    if _current:
        raise RuntimeError(f"The clock stands still already, at {_current[-1].now().isoformat()}; move that one.")
    clock = Clock(at if at is not None else _database_clock())
    _current.append(clock)
    try:
        with (
            mock.patch.object(metrics, "database_clock", clock.now),
            mock.patch.object(timezone, "now", lambda: _as_django_says(clock.now())),
        ):
            yield clock
    finally:
        _current.remove(clock)


def duration(by: timedelta | None, parts: dict[str, Any]) -> timedelta:
    """A timedelta, given as one or by its parts. Raises TypeError for both or neither, ValueError for a negative one."""
    if (by is None) == (not parts):
        raise TypeError("How long? Give a timedelta, or its parts: hours=2, minutes=30.")
    found = timedelta(**parts) if by is None else by
    if found < timedelta():
        raise ValueError(f"{found} is negative; time only passes.")
    return found


def _database_clock() -> datetime:
    now: datetime = queries.fetch("database_clock", {})[0][0]
    return now


def _aware(instant: datetime) -> datetime:
    if not isinstance(instant, datetime) or instant.utcoffset() is None:
        raise ValueError(
            f"{instant!r} names no instant; right is an aware datetime: datetime(2026, 3, 1, 8, tzinfo=UTC)."
        )
    return instant.astimezone(UTC)


def _as_django_says(instant: datetime) -> datetime:
    return instant if django_settings.USE_TZ else timezone.make_naive(instant)
