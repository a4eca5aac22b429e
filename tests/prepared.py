"""A migrated cluster is made once for the sources as they are; every run, and each of the processes of one, starts from a copy."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from youtility_tasks.standalone import binaries
from youtility_tasks.standalone.server import Server

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_ROOM_BYTES = 2 * 1024**3

_ROOT = Path(__file__).parents[1]
_SOURCES = ("youtility_tasks", "task_catalog", "tests/catalog/adoption")
_LIBRARIES = ("Django", "procrastinate")


def in_memory() -> Path | None:
    """Where a cluster that nobody needs tomorrow is put: a database is 740 files, and to copy them on a disk takes 0.5 s of
    processor time, here 0.02. None: there is no such place, or it is small, as in most containers."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
        return _MEMORY
    return None


def start_from_copy(server: Server, store: Path, prepare: Callable[[], None]) -> None:
    """Give the server the prepared data and start it. Whoever finds none runs `prepare` on the running server, while others wait."""
    settings = os.environ["DJANGO_SETTINGS_MODULE"]
    kept = store / f"{settings}-{_key()}"
    store.mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            server.start()
            prepare()
            server.stop()
            half = store / f"{settings}-half"
            for old in store.glob(f"{settings}-*"):
                shutil.rmtree(old)
            _copy(server.data, half)
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
