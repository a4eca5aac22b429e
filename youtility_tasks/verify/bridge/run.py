"""One run from the outside: a database and a folder of its own, the play in a process with the run's settings, and the verdict."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from youtility_tasks.standalone.server import Server
from youtility_tasks.verify.crew import NotInTime

from . import cast, planted
from .evidence import Evidence

SHORT_MINUTES = 0.5
"""What a run takes beside starting and ending its processes, at a pace of one second."""
PLAY = "youtility_tasks.verify.bridge.play"
_QUICK = ["-c", "fsync=off", "-c", "max_connections=200"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a run does."""

    seed: int = 0
    minutes: float = SHORT_MINUTES
    rate: float = 12.0
    company: str = ""
    """Path of a function that makes a company: tenant -> task -> arguments."""
    planted: str = ""
    """Bugs that a test plants, separated by semicolons."""


@contextlib.contextmanager
def databases() -> Iterator[tuple[str, str]]:
    """A server that is gone afterwards: the URL of an empty database on it, and of the ledger's."""
    folder = Path(tempfile.mkdtemp(prefix="yt-verify-"))
    folder.chmod(0o755)  # the server's own user has to pass through
    server = Server(folder / "server", options=_QUICK)
    try:
        with server.in_use():
            with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
                for name in ("moving", "ledger"):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            yield server.url("moving"), server.url("ledger")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play(script: Script, database: str, ledger: str) -> Evidence:
    """Play the script on these databases, which nobody else uses; what it left. Raises NotInTime when it could not be played to its end."""
    with launched(PLAY, script, database, ledger) as target:
        return Evidence.load(target)


@contextlib.contextmanager
def launched(module: str, script: Script, database: str, ledger: str) -> Iterator[Path]:
    """Run a module's `main(target)` to its end, in a process with the run's settings; the file that it wrote. Raises NotInTime."""
    folder = Path(tempfile.mkdtemp(prefix="yt-moving-"))
    target = folder / "evidence.json"
    env = cast.environment(database, ledger, folder) | {
        cast.REDIS: f"redis://127.0.0.1:{cast.free_port()}/0",
        "YOUTILITY_VERIFY_SEED": str(script.seed),
        "YOUTILITY_VERIFY_RATE": str(script.rate),
        "YOUTILITY_VERIFY_PACE_S": str(script.minutes / SHORT_MINUTES),
        "YOUTILITY_VERIFY_COMPANY": script.company,
        planted.VARIABLE: script.planted,
    }
    with (folder / "play.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module, str(target)], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        code = process.wait()
    finally:
        if process.poll() is None:  # we are being ended: so is the play, which ends its own
            process.terminate()
            process.wait(30)
    if code or not target.is_file():
        said = (folder / "play.log").read_text(errors="replace")[-3000:]
        raise NotInTime(f"the run did not come to its end; its files are in {folder}:\n{said}")
    try:
        yield target
    finally:
        shutil.rmtree(folder, ignore_errors=True)
