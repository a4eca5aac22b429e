"""A virtual environment for each peer, made once and kept in the cache folder; and Redis for those that need it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import PeerAbsent
from .systems import System


def cache_folder() -> Path:
    """Where the peers' environments are kept: XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "youtility-tasks" / "bench"


def python_of(system: System) -> Path:
    """The Python that has the system installed, at exactly the versions of its row. Raises PeerAbsent."""
    if not system.pins:
        return Path(sys.executable)
    key = hashlib.sha256(repr((system.pins, sys.version_info[:2])).encode()).hexdigest()[:10]
    folder = cache_folder() / f"{system.name}-{key}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *system.pins]
    for command in ([sys.executable, "-m", "venv", folder], pip):
        made = subprocess.run(command, capture_output=True, text=True)  # type: ignore[arg-type]  # noqa: S603
        if made.returncode:
            raise PeerAbsent(
                f"{system.title} could not be installed ({', '.join(system.pins)}): {made.stderr.strip()[-500:]} "
                f"Leave it out of --against, or make {folder} by hand."
            )
    (folder / "complete").touch()
    return python


def redis_program() -> str:
    """Where redis-server is. Raises PeerAbsent."""
    found = shutil.which("redis-server")
    if found is None:
        raise PeerAbsent("Celery needs redis-server, which is not installed: `apt-get install redis-server` (Debian).")
    return found


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[tuple[str, int]]:
    """A Redis of the bench's own on a free port of this machine, as Debian sets it up: snapshots, no log. Its address and pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--dir",
        str(folder),
        "--save",
        "60 10000",
        "--appendonly",
        "no",
    ]
    process = subprocess.Popen([redis_program(), *words], stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_for(port, process)
        yield f"redis://127.0.0.1:{port}/0", process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise PeerAbsent("redis-server did not start; run it by hand to see why.")
