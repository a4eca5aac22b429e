"""Two statements at once on real locks: the first holds its transaction open while the second runs or waits."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg

from youtility_tasks.verify.case import Check, Violation
from youtility_tasks.verify.checker import check
from youtility_tasks.verify.ground import Place

from .world import Connection, World

ACTIONS = ("claim", "finish", "retry", "crash", "renew", "rescue", "cancel")
_TABLES = "procrastinate_jobs, procrastinate_workers, youtility_tasks_history, youtility_tasks_queuecounter"
_WAITS = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"


def every_pair(place: Place) -> Check:
    """Each action of `a` held open while `b` acts, then committed or rolled back."""
    broken: list[Violation] = []
    cases = waited = 0
    with (
        psycopg.connect(place.direct, autocommit=True) as first,
        psycopg.connect(place.direct, autocommit=True) as second,
        psycopg.connect(place.direct, autocommit=True) as watcher,
        ThreadPoolExecutor(1) as pool,
    ):
        for one, other, commits, zombie in _cases():
            cases += 1
            try:
                world, has_waited = _overlap(first, second, watcher, pool, (one, other), commits=commits, zombie=zombie)
                waited += has_waited
                world.connection = first
                found = _violations(world)
            except psycopg.Error as error:
                first.rollback()
                found = [f"{type(error).__name__}: {str(error).splitlines()[0]}"]
            end = "commits" if commits else "rolls back"
            name = f"a.{one} {end} while b.{other}{' of a zombie' if zombie else ''}"
            broken += [Violation(name, what) for what in found]
        first.execute(f"TRUNCATE {_TABLES} CASCADE")
    return Check("overlapping statements", "L T F E X S N B A", f"{cases} pairs, {waited} waited", broken)


def _cases() -> Iterator[tuple[str, str, bool, bool]]:
    return itertools.product(ACTIONS, ACTIONS, (True, False), (True, False))


def _overlap(
    first: Connection,
    second: Connection,
    watcher: Connection,
    pool: ThreadPoolExecutor,
    actions: tuple[str, str],
    *,
    commits: bool,
    zombie: bool,
) -> tuple[World, bool]:
    """Play one case; the world that it leaves, and whether the second had to wait for the first."""
    first.execute(f"TRUNCATE {_TABLES} CASCADE")
    world = World(first)
    world.prepare("a", "b")
    world.claim("a")
    world.claim("b")
    if zombie:
        world.freeze("b")
    before = world.fork()
    first.execute("BEGIN")
    world.act("a", actions[0])
    other = World(second)
    other.state = world.state if commits else before
    acting = pool.submit(other.act, "b", actions[1])
    waits = _until_it_waits_or_ends(acting, second, watcher)
    first.execute("COMMIT" if commits else "ROLLBACK")
    acting.result(20)
    return other, waits


def _until_it_waits_or_ends(acting: Future[None], second: Connection, watcher: Connection) -> bool:
    deadline = time.monotonic() + 10
    while not acting.done() and time.monotonic() < deadline:
        if watcher.execute(_WAITS, [second.info.backend_pid]).fetchall():
            return True
        time.sleep(0.002)
    return False


def _violations(world: World) -> list[str]:
    world.drain()
    return [
        f"{each.name}: {violation.key} {violation.what}"
        for each in check(world.evidence())
        for violation in each.violations
    ]
