"""One live run: generate, injure, heal, start a clean worker, drain, dump, judge."""

from __future__ import annotations

import contextlib
import random
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from . import failures, planted
from .crew import QUICK, Crew, NotInTime, until
from .dumping import dump
from .entries import Evidence
from .ground import Ground, Place
from .ledger import Ledger
from .nemesis import FAULTS, Fault, Stage
from .proxy import Proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a run does."""

    name: str
    seed: int
    jobs: int = 80
    rate: float = 25.0
    faults: list[tuple[float, str]] = field(default_factory=list)
    """(seconds after the first work, name)."""
    settings: dict[str, Any] = field(default_factory=lambda: dict(QUICK))
    drain_s: float = 60.0
    timeout_s: float = 20.0
    failpoint: str = ""
    """Armed in all processes; whoever comes there first is hit, and nobody after it."""
    planted: str = ""
    """Bugs that a test plants, separated by semicolons."""


def play(ground: Ground, script: Script) -> Evidence:
    """Play the script on databases of its own; what it left. Raises NotInTime when it cannot even begin."""
    place = ground.new_run(script.name)
    ledger = Ledger(place.ledger, place.folder)
    ledger.prepare()
    socket = f"{ground.queue.sockets}/.s.PGSQL.5432"
    with contextlib.closing(Proxy(socket)) as proxy, contextlib.closing(Proxy(socket)) as gate:
        crew = Crew(
            place,
            place.through(proxy.port),
            script.settings,
            **{"YOUTILITY_VERIFY_TIMEOUT_S": str(script.timeout_s), planted.VARIABLE: script.planted},
        )
        stage = Stage(crew, ledger, proxy, gate, random.Random(f"targets {script.seed}"))  # noqa: S311
        with contextlib.closing(crew), contextlib.closing(ledger):
            with failures.armed(stage, script.failpoint) as env:
                crew.start(**env)
                crew.ready(2)
                crew.start(**env)
                crew.generate(script.seed, script.jobs, script.rate, place.through(gate.port))
                until(ledger.running, "work begins")
                _injure(stage, script.faults)
                _let_generate(crew, script)
            proxy.recover()
            proxy.reset_all()  # heal: nothing stays deaf
            clean = crew.start(DATABASE_URL=place.direct)
            _drain(place, script)
            _leave(crew, clean)
            with psycopg.connect(place.direct) as connection:
                return Evidence(seed=script.seed, ledger=ledger.read(), dump=dump(connection))


def _injure(stage: Stage, planned: list[tuple[float, str]]) -> None:
    """Every fault at its time, in a thread of its own: the next one does not wait for its end."""
    start = time.monotonic()
    threads = []
    trouble: list[BaseException] = []
    for at, name in planned:
        time.sleep(max(0.0, start + at - time.monotonic()))
        thread = threading.Thread(target=_one, args=(FAULTS[name], stage, trouble), name=name)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    if trouble:
        raise trouble[0]


def _one(fault: Fault, stage: Stage, trouble: list[BaseException]) -> None:
    try:
        fault(stage)
    except (NotInTime, psycopg.Error):
        return  # there was nothing to injure, or another fault was faster
    except BaseException as error:
        trouble.append(error)
    finally:
        stage.ledger.close()


def _let_generate(crew: Crew, script: Script) -> None:
    """Wait for the generator, which must be done before a queue can be drained."""
    assert crew.generator is not None  # noqa: S101 - it was started just now
    try:
        code = crew.generator.wait(script.jobs / script.rate * 3 + 30)
    except subprocess.TimeoutExpired as error:
        raise NotInTime("the generator does not come to its end") from error
    was_killed = "kill_generator" in [name for _, name in script.faults]
    if code and not was_killed:
        raise NotInTime(f"the generator failed: {crew.said()['generator.log'][-2000:]}")


def _drain(place: Place, script: Script) -> None:
    """Until nothing waits or runs; what still does after `drain_s` is for the checker to see."""
    with place.connect() as connection, contextlib.suppress(NotInTime):
        until(
            lambda: (
                not connection.execute(
                    "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1"
                ).fetchall()
            ),
            "the queue is drained",
            within_s=script.drain_s,
        )


def _leave(crew: Crew, clean: subprocess.Popen[bytes]) -> None:
    """All workers stop as they would at a deployment; the clean one last."""
    others = [process for process in crew.alive() if process is not clean]
    for process in [*others, clean]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            crew.stop(process)
