"""The client and the workers of one system as processes of the bench's own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import meter
from .errors import BenchError, NotEnded
from .systems import System

_STOP_WITHIN_S = 20.0


@dataclass(frozen=True)
class Place:
    """A system made ready: its Python, its environment, its database, and whose CPU counts besides its own processes."""

    system: System
    python: Path
    env: dict[str, str]
    dbname: str
    servers: tuple[int, ...]
    folder: Path
    more_words: tuple[str, ...] = ()

    def start(self, words: Sequence[str], name: str, **pipes: Any) -> subprocess.Popen[str]:
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen(  # noqa: S603
                [self.python, *words], env=self.env, stderr=log, text=True, cwd=self.folder, **{"stdout": log, **pipes}
            )

    def log(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-15:])
        return ""

    def prepare(self) -> None:
        for words in self.system.prepare:
            if self.start(words, "prepare").wait():
                raise BenchError(f"{self.system.title} could not be set up: {' '.join(words)}\n{self.log('prepare')}")


class Client:
    """The process that enqueues."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.process = place.start(place.system.client, "client", stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, verb: str, **arguments: Any) -> Any:
        assert self.process.stdin and self.process.stdout  # noqa: S101
        self.process.stdin.write(json.dumps({"do": verb, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{self.place.system.title}: its client ended during {verb!r}\n{self.place.log('client')}")
        return json.loads(line)

    def cpu_s(self) -> float:
        """Of the client and of the servers."""
        return meter.cpu_s([self.process.pid, *self.place.servers])

    def close(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(_STOP_WITHIN_S)
        if self.process.stdout:
            self.process.stdout.close()


class Crew:
    """Some workers, as separate as on several machines."""

    def __init__(self, place: Place, n: int) -> None:
        self.place = place
        words = [*place.system.worker, *place.more_words]
        self.processes = [place.start(words, f"worker{k}") for k in range(n)]

    def check(self) -> None:
        for k, process in enumerate(self.processes):
            if process.poll() is not None:
                raise BenchError(f"{self.place.system.title}: a worker ended\n{self.place.log(f'worker{k}')}")

    def cpu_s(self) -> float:
        """Of the workers and of the servers."""
        return meter.cpu_s([*(process.pid for process in self.processes), *self.place.servers])

    def settle(self) -> None:
        """Wait until every worker is up and idle: until none of them computes any more."""
        quiet = 0
        while quiet < 2:
            before = meter.cpu_s(process.pid for process in self.processes)
            time.sleep(0.3)
            self.check()
            quiet = quiet + 1 if meter.cpu_s(process.pid for process in self.processes) - before < 0.03 else 0

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(_STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                for pid in meter.tree(process.pid)[::-1]:
                    subprocess.run(["/bin/kill", "-KILL", str(pid)], check=False, capture_output=True)  # noqa: S603
                process.wait()


@contextlib.contextmanager
def crew(place: Place, n: int) -> Iterator[Crew]:
    """Workers inside the block."""
    made = Crew(place, n)
    try:
        yield made
    finally:
        made.stop()


def lines(path: Path, n: int, made: Crew, limit_s: float) -> list[tuple[float, float]]:
    """What `n` marks have written (sent, started), waited for."""
    give_up = time.monotonic() + limit_s
    while True:
        text = path.read_text(encoding="ascii") if path.exists() else ""
        if text.count("\n") >= n:
            return [(float(a), float(b)) for a, b in (line.split() for line in text.splitlines())]
        made.check()
        if time.monotonic() > give_up:
            raise NotEnded(f"{made.place.system.title}: {text.count(chr(10))} of {n} marks after {limit_s:.0f} s")
        time.sleep(0.002)
