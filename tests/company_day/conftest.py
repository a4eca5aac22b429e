"""What the tests of the day share: the command as a process on a database of its own, and its family."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from tests import warm

COMMAND = [sys.executable, "-m", "youtility_tasks.standalone", "play_company_day"]


@dataclass
class Playing:
    """A day that is being played by a process of its own."""

    process: subprocess.Popen[str]
    jobs_done: Callable[[], int]
    output: str = ""
    errors: str = ""

    def wait_for_jobs(self, count: int) -> None:
        """Until so many jobs have ended, or the day is over."""
        limit = time.monotonic() + 300
        while self.process.poll() is None and self.jobs_done() < count:
            assert time.monotonic() < limit, f"no {count} jobs within 300 s"
            time.sleep(0.05)

    def family(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def finish(self) -> int:
        self.output, self.errors = self.process.communicate(timeout=700)
        return self.process.returncode

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output)
        return found


@dataclass
class Players:
    """Starts days on one database, and lets none outlive the test."""

    database: Any
    started: list[Playing] = field(default_factory=list)

    def __call__(self, *arguments: str) -> Playing:
        process = warm.Popen(
            [*COMMAND, *arguments],
            env=self.database.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        playing = Playing(process, self._jobs_done)
        self.started.append(playing)
        return playing

    def _jobs_done(self) -> int:
        (count,) = self.database.rows("SELECT count(*) FROM youtility_tasks_history WHERE is_final")[0]
        return int(count)


@pytest.fixture
def play(fresh_database: Any) -> Iterator[Players]:
    """Starts the command with the given arguments on the test's own database."""
    players = Players(fresh_database)
    yield players
    for playing in players.started:
        for member in playing.family():
            with suppress(psutil.Error):
                member.kill()
        playing.process.kill()
        playing.process.communicate()
