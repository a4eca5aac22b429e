"""A migrated cluster is made once for the sources as they are; every run, and each of the processes of one, starts from a copy."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from youtility_tasks.standalone import binaries
from youtility_tasks.standalone.server import Server

_ROOT = Path(__file__).parents[1]
_SOURCES = ("youtility_tasks", "task_catalog")
_LIBRARIES = ("Django", "procrastinate")


def start_from_copy(server: Server, store: Path, prepare: Callable[[], None]) -> None:
    """Give the server the prepared data and start it. Whoever finds none runs `prepare` on the running server, while others wait."""
    kept = store / _key()
    store.mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            server.start()
            prepare()
            server.stop()
            for old in store.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            _copy(server.data, half := store / "half")
            half.rename(kept)
            server.start()
            return
    _copy(kept, server.data)
    server.start()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)


def _key() -> str:
    """Of everything that a migration may read."""
    found = hashlib.sha256(" ".join([binaries.find().release, *map(version, _LIBRARIES)]).encode())
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".sql"):
                found.update(str(path.relative_to(_ROOT)).encode())
                found.update(path.read_bytes())
    return found.hexdigest()[:16]
