"""The whole of a day, read downwards: admitted, cleared, seeded, played, reconciled."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.db import InterfaceError, OperationalError
from django.test import override_settings

from youtility_tasks import queries

from . import admission, scopes, sink
from . import stage_settings as settings_of
from .clock import set_played
from .control_room import ControlRoom
from .definitions import midnight
from .errors import DatabaseLost, DayStuck
from .player import Player
from .processes import Sink, Workers
from .reconcile import Check, Evidence, reconcile
from .removal import remove_company
from .seed import seed_company
from .yard import Yard

logger = logging.getLogger(__name__)

_FOLDER_PREFIX = "company-day-"
_LOST = ("08", "57P")
"""How the codes begin of what PostgreSQL says of a connection that ends; one that breaks has no code."""


@dataclass(slots=True)
class Scene:
    """The running processes of a day and the folder of their files, which stays when something went wrong."""

    sink: Sink
    control_room: ControlRoom
    workers: Workers
    yard: Yard
    keep_files: bool = False

    def keep_alive(self) -> None:
        """Start whatever has died."""
        self.sink.keep_alive()
        self.control_room.keep_alive()
        self.workers.keep_alive()

    @property
    def mail_file(self) -> Path:
        return self.sink.file

    def evidence(self) -> Evidence:
        """What the day has left outside of the database; waits until the control room has heard what the broker holds."""
        return Evidence(sink.read(self.mail_file), self.control_room.heard(), self.yard)


def play_day(
    day: date,
    *,
    scale: int = 1,
    seed: int = 0,
    on_stage: Callable[[Scene], None] = lambda scene: None,
    tell: Callable[[datetime], None] = lambda instant: None,
) -> list[Check]:
    """Make the company, play its day with real workers and a real mail server, and reconcile every total.

    What an earlier day left is removed first, so playing again gives the same totals. `on_stage` is told of the
    processes when they run, `tell` of each instant when it is over. Raises a CompanyDayError when the day may not be
    played here, or got stuck.
    """
    with _database_kept(), admission.only_day():
        with scopes.director():
            admission.refuse_foreign_data()
            admission.refuse_foreign_workers()
            remove_company()
            company = seed_company(day, scale=scale, seed=seed)
            set_played(midnight(day))
        with _stage() as scene:
            scene.yard.fill(company, day)
            scene.keep_alive()
            on_stage(scene)
            player = Player(
                company, day, control_room=scene.control_room, keep_alive=scene.keep_alive, tell=tell, yard=scene.yard
            )
            played = player.play()
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


@contextlib.contextmanager
def _stage() -> Iterator[Scene]:
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-"))
    server = Sink(folder / "mails.jsonl")
    control_room = ControlRoom(folder)
    variables = settings_of.variables(folder, control_room.port)
    workers = Workers(queries.conninfo("company day", part=None), server, folder / "workers.log", variables)
    scene = Scene(server, control_room, workers, Yard(folder))
    try:
        # People's pages save rows in this process, by the settings by which the workers work.
        with override_settings(**settings_of.overrides(folder, control_room.port)):
            yield scene
    except DayStuck as error:
        scene.keep_files = True
        raise DayStuck(f"{error}\nThe workers' last words:\n{workers.last_words()}") from error
    finally:
        workers.stop()
        control_room.stop()
        server.stop()
        if scene.keep_files:
            logger.warning("the day's mails and the workers' log are kept until the next day folder=%s", folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers() -> None:
    """Folders of ours whose player is gone: it was killed, or had something to show that was looked at by now."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        pid = folder.name.removeprefix(_FOLDER_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid() and pid.isdecimal() and not admission.process_exists(int(pid)):
                shutil.rmtree(folder)
