"""The whole of a day, read downwards: admitted, cleared, seeded, played, reconciled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import date, datetime

from django.db import InterfaceError, OperationalError

from . import admission, scopes
from .clock import set_played
from .definitions import midnight
from .errors import DatabaseLost
from .player import Player
from .reconcile import Check, reconcile
from .removal import remove_company
from .seed import seed_company
from .stage import Scene, stage
from .weather import FAIR, Weather

_LOST = ("08", "57P")
"""How the codes begin of what PostgreSQL says of a connection that ends; one that breaks has no code."""


def play_day(
    day: date,
    *,
    scale: int = 1,
    seed: int = 0,
    on_stage: Callable[[Scene], None] = lambda scene: None,
    tell: Callable[[datetime], None] = lambda instant: None,
    weather: Weather = FAIR,
) -> list[Check]:
    """Make the company, play its day with real workers and a real mail server, and reconcile every total.

    What an earlier day left is removed first, so playing again gives the same totals. `on_stage` is told of the
    processes when they run, `tell` of each instant when it is over; `weather` is what goes wrong. Raises a CompanyDayError when the day may not be
    played here, or got stuck.
    """
    with _database_kept(), admission.only_day():
        with scopes.director():
            admission.refuse_foreign_data()
            admission.refuse_foreign_workers()
            remove_company()
            company = seed_company(day, scale=scale, seed=seed)
            set_played(midnight(day))
        with stage() as scene, weather.over(scene):
            scene.yard.fill(company, day)
            scene.keep_alive()
            on_stage(scene)
            played = Player(company, day, scene=scene, weather=weather, tell=tell).play()
            with scopes.director():
                checks = reconcile(company, day, scale, played, scene.evidence())
            scene.keep_files = not all(check.ok for check in checks)
            return checks


@contextlib.contextmanager
def _database_kept() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        # Not asked of the connection: the way out of a transaction, or of the day's lock, may have opened another.
        code = getattr(error.__cause__, "sqlstate", None)
        if code is not None and not code.startswith(_LOST):
            raise
        raise DatabaseLost(error) from error
