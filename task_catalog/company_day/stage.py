"""The stage of a day: its processes, its folder, and who cleans up after it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.test import override_settings

from youtility_tasks import queries

from . import admission, sink
from . import stage_settings as settings_of
from .control_room import ControlRoom
from .definitions import BROKER_TASK, MAIL_TASKS
from .errors import DayStuck
from .evidence import Evidence
from .processes import Pages, Sink, Workers
from .yard import Yard

logger = logging.getLogger(__name__)

_FOLDER_PREFIX = "company-day-"


@dataclass(slots=True)
class Scene:
    """The running processes of a day and the folder of their files, which stays when something went wrong."""

    sink: Sink
    control_room: ControlRoom
    workers: Workers
    yard: Yard
    pages: Pages
    keep_files: bool = False

    def keep_alive(self) -> None:
        """Start whatever has died."""
        self.sink.keep_alive()
        self.control_room.keep_alive()
        self.workers.keep_alive()

    @property
    def mail_file(self) -> Path:
        return self.sink.file

    def out_of_reach(self) -> set[str]:
        """Tasks that cannot end now, because whom they speak to is away on purpose."""
        mail = set() if self.sink.is_open else set(MAIL_TASKS)
        return mail if self.control_room.is_open else mail | {BROKER_TASK}

    def evidence(self) -> Evidence:
        """What the day has left outside of the database; waits until the control room has heard what the broker holds."""
        return Evidence(sink.read(self.mail_file), self.control_room.heard(), self.yard)


@contextlib.contextmanager
def stage() -> Iterator[Scene]:
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-"))
    server = Sink(folder / "mails.jsonl")
    control_room = ControlRoom(folder)
    variables = settings_of.variables(folder, control_room.port)
    workers = Workers(queries.conninfo("company day", part=None), server, folder / "workers.log", variables)
    pages = Pages(workers, folder / "pages.log")
    scene = Scene(server, control_room, workers, Yard(folder), pages)
    try:
        # People's pages save rows in this process, by the settings by which the workers work.
        overrides = settings_of.overrides(folder, control_room.port)
        overrides["TASK_CATALOG"] = {**settings.TASK_CATALOG, **overrides["TASK_CATALOG"]}
        with override_settings(**overrides):
            yield scene
    except DayStuck as error:
        scene.keep_files = True
        raise DayStuck(f"{error}\nThe workers' last words:\n{workers.last_words()}") from error
    finally:
        pages.stop()
        workers.stop()
        control_room.stop()
        server.stop()
        if scene.keep_files:
            logger.warning("the day's mails and the workers' log are kept until the next day folder=%s", folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def new_page_file() -> Path:
    """Where a page about the day that was just played goes: it stays until the next day is played."""
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-")) / "day.html"


def _remove_leftovers() -> None:
    """Folders of ours whose player is gone: it was killed, or had something to show that was looked at by now."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        pid = folder.name.removeprefix(_FOLDER_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid() and pid.isdecimal() and not admission.process_exists(int(pid)):
                shutil.rmtree(folder)
