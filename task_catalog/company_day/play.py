"""The whole of a day, read downwards: admitted, cleared, seeded, played, reconciled."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from youtility_tasks import queries

from . import admission, sink
from .clock import set_played
from .definitions import midnight
from .player import Player
from .processes import Sink, Workers
from .reconcile import Check, reconcile
from .removal import remove_company
from .seed import seed_company


@dataclass(frozen=True, slots=True)
class Scene:
    """The running processes of a day and the folder of their files."""

    sink: Sink
    workers: Workers
    folder: Path

    def keep_alive(self) -> None:
        """Start whatever has died."""
        self.sink.keep_alive()
        self.workers.keep_alive()

    @property
    def mail_file(self) -> Path:
        return self.sink.file


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
    with admission.only_day():
        admission.refuse_foreign_data()
        admission.refuse_foreign_workers()
        remove_company()
        company = seed_company(day, scale=scale, seed=seed)
        set_played(midnight(day))
        with _stage() as scene:
            on_stage(scene)
            played = Player(company, day, keep_alive=scene.keep_alive, tell=tell).play()
            return reconcile(company, day, scale, played, sink.read(scene.mail_file))


@contextlib.contextmanager
def _stage() -> Iterator[Scene]:
    folder = Path(tempfile.mkdtemp(prefix="company-day-"))
    server = Sink(folder / "mails.jsonl")
    workers = Workers(queries.conninfo("company day"), server, folder / "workers.log")
    scene = Scene(server, workers, folder)
    try:
        scene.keep_alive()
        yield scene
    finally:
        workers.stop()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
