"""What it costs a drain that tenants are kept apart, that late writes are fenced off and that tenants take turns: one run.

`python -m tests.benchmarks.tenancy_cost [--each]` starts a server of its own (fsync on) with one database a house, a worker on
each, and lets them drain the same backlog in turn. The house "on" is the product with separate roles; the house "off" is the
same code without the three guards; `--each` adds houses with one guard alone. Nothing else should be running.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from youtility_tasks.bench import budget, cluster, meter
from youtility_tasks.bench.processes import Crew, Place
from youtility_tasks.bench.spread import ratios, spread
from youtility_tasks.bench.systems import SYSTEMS, System
from youtility_tasks.conf import PARTS
from youtility_tasks.management.ending import terminable

QUEUE = "high_priority"
TASKS = {
    "noop": "a task that does nothing",
    "row": "a task that reads and writes a row of its tenant in a transaction; a tenth as many jobs",
}
_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_FENCE = " AND j.claim_number = e.claim_number"
_LIMIT_S = 300.0


@dataclass(frozen=True)
class Guards:
    """Which of the three a house has, and how it lacks the others."""

    name: str
    row_level_security: bool
    fence: bool
    turns: bool

    def told(self) -> dict[str, str]:
        """For the reader of the figures."""
        return {
            "row_level_security": (
                "on: separate roles, forced policies, a signed token in each transaction"
                if self.row_level_security
                else "off: the setting `roles` is unset, one role owns all, no table has row level security, no token is sent"
            ),
            "fence": (
                "on: as shipped"
                if self.fence
                else "off: youtility_tasks_finish_v2 without its comparison of claim numbers, from the function as installed"
            ),
            "turns": (
                "on: as shipped"
                if self.turns
                else "off: youtility_tasks_claim_v2 replaced by two_houses/plain_claim.sql, which goes by priority and index alone"
            ),
        }


ON, OFF = Guards("on", True, True, True), Guards("off", False, False, False)
SINGLE = (
    Guards("only row level security", True, False, False),
    Guards("only the fence", False, True, False),
    Guards("only turns", False, False, True),
)


@dataclass
class House:
    """A database with its worker, and what was measured in it: a figure a round."""

    guards: Guards
    server: cluster.Cluster
    dbname: str
    env: dict[str, str]
    place: Place
    tenants: int
    crew: Crew | None = None
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """As the server's administrator."""
        return self.server.ask(statement, *parameters, dbname=self.dbname)

    def drain(self, task: str, n: int) -> None:
        """One backlog of `n` jobs, seen all at one moment by a warm and idle worker."""
        assert self.crew is not None
        self._drain(task, min(n, 2_000))
        self.rows("TRUNCATE procrastinate_jobs, youtility_tasks_history CASCADE")
        self.server.settle(self.dbname)
        before = self._cpu()
        seconds = self._drain(task, n)
        parts = {part: 1e6 * (after - before[part]) / n for part, after in self._cpu().items()}
        into = self.figures.setdefault(task, {})
        for name, figure in {"jobs_per_s": n / seconds, "cpu_us_a_job": sum(parts.values()), **parts}.items():
            into.setdefault(name, []).append(figure)

    def _drain(self, task: str, n: int) -> float:
        """Seconds from the moment at which the jobs can be seen until the last one's end is stored, by the database's clock."""
        assert self.crew is not None
        with psycopg.connect(self.server._conninfo(self.dbname)) as session:
            session.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, tenant_id, priority, noted)"
                " SELECT %s, 'two_houses_' || %s, jsonb_build_object('a', 1 + n %% %s), 1 + n %% %s, 6, false FROM generate_series(1, %s) n",
                [QUEUE, task, self.tenants, self.tenants, n],
            )
            ((released,),) = session.execute("SELECT clock_timestamp()").fetchall()
        give_up = time.monotonic() + _LIMIT_S
        while self.rows("SELECT EXISTS (SELECT FROM procrastinate_jobs)")[0][0]:
            self.crew.check()
            assert time.monotonic() < give_up, f"{self.guards.name}: jobs were left after {_LIMIT_S:.0f} s"
            time.sleep(0.05)
        ((ended, failed),) = self.rows(
            "SELECT max(finished_at), count(*) FILTER (WHERE status <> 'succeeded') FROM youtility_tasks_history"
            " WHERE finished_at > %s",
            released,
        )
        assert not failed, f"{self.guards.name}: {failed} attempts did not succeed"
        return float((ended - released).total_seconds())

    def _cpu(self) -> dict[str, float]:
        assert self.crew is not None
        return budget.seconds(self.crew.processes[0].pid, self.place.servers)


def measure(
    guards: Sequence[Guards], *, rounds: int, jobs: int, tenants: int, tasks: Sequence[str] = tuple(TASKS)
) -> dict[str, Any]:
    """Drain `jobs` of each task in each house, `rounds` times in an order of chance; figures, and their ratios to the house "off"."""
    with built(guards, tenants) as houses:
        return measure_in(houses, rounds=rounds, jobs=jobs, tasks=tasks)


def measure_in(houses: Sequence[House], *, rounds: int, jobs: int, tasks: Sequence[str]) -> dict[str, Any]:
    """`measure` in houses that stand."""
    order = random.Random(1)  # noqa: S311 - which house comes first in a round
    load = os.getloadavg()[0]
    for _ in range(rounds):
        for task in tasks:
            for house in order.sample(list(houses), len(houses)):
                house.drain(task, jobs // 10 if task == "row" else jobs)
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "postgres": houses[0].server.version,
        "cpu": meter.cpu_model(),
        "durability": houses[0].server.durability,
        "load_before": round(load, 2),
        "sizes": {"rounds": rounds, "jobs": jobs, "tenants": houses[0].tenants},
        "tasks": {task: TASKS[task] for task in tasks},
        "houses": {house.guards.name: house.guards.told() for house in houses},
        "drain": {task: _compared(houses, task) for task in tasks},
    }


def _compared(houses: Sequence[House], task: str) -> dict[str, Any]:
    (off,) = [house for house in houses if house.guards == OFF]
    found: dict[str, Any] = {}
    for house in houses:
        own, plain = house.figures[task], off.figures[task]
        found[house.guards.name] = {name: spread(figures) for name, figures in own.items()}
        if house is not off:
            found[house.guards.name]["ratio_to_off"] = {
                "time_a_job": ratios(plain["jobs_per_s"], own["jobs_per_s"]),
                "cpu_a_job": ratios(own["cpu_us_a_job"], plain["cpu_us_a_job"]),
                "postgresql_cpu_a_job": ratios(own["postgresql"], plain["postgresql"]),
            }
    return found


# -- the houses


@contextlib.contextmanager
def built(guards: Sequence[Guards], tenants: int) -> Iterator[list[House]]:
    """The houses on one server that is thrown away after, each with a worker that is up and idle."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(cluster.running(None))
        folder = Path(tempfile.mkdtemp(prefix="yt-two-houses-"))
        stack.callback(shutil.rmtree, folder)
        houses = [_build(each, n, server, folder, tenants) for n, each in enumerate(guards)]
        for house in houses:
            house.crew = Crew(house.place, 1)
            stack.callback(house.crew.stop)
        for house in houses:
            assert house.crew is not None
            house.crew.settle()
        yield houses


def _build(guards: Guards, number: int, server: cluster.Cluster, folder: Path, tenants: int) -> House:
    dbname, prefix = f"two_houses_{number}", f"house{number}_"
    settings: dict[str, Any] = {}
    url = server.database(dbname)
    if guards.row_level_security:
        roles = {part: {"USER": f"{prefix}the_{part}"} for part in PARTS}
        settings = {"roles": roles, "role_prefix": prefix, "tenant_tables": {"two_houses_row": "tenant_id"}}
        server.ask(
            f"ALTER ROLE {cluster.ROLE} CREATEROLE"
        )  # set-up makes the users; who owns the tables is the same in each house
    system = System(
        name=dbname,
        title=f"the house {guards.name!r}",
        setting="tests.benchmarks.two_houses.settings",
        prepare=(),
        client=(),
        worker=SYSTEMS["ours"].worker,
        note="",
    )
    env = {**system.env(url), "PYTHONPATH": str(_ROOT), "TWO_HOUSES_SETTINGS": json.dumps(settings)}
    own = folder / dbname
    own.mkdir()
    place = Place(system, Path(sys.executable), env, dbname, (server.pid,) if server.pid is not None else (), own)
    house = House(guards, server, dbname, env, place, tenants)
    _manage(house, "migrate", "--verbosity", "0")
    _furnish(house)
    if guards.row_level_security:
        _manage(house, "setup_task_queue")
    _take_away(house)
    return house


def _manage(house: House, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "django", *words], env=house.env, capture_output=True, text=True)
    assert done.returncode == 0, f"{words[0]} in {house.guards.name}: {done.stdout}{done.stderr}"


def _furnish(house: House) -> None:
    house.rows(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at)"
        " SELECT n, n::text, true, 1, now() FROM generate_series(1, %s) n",
        house.tenants,
    )
    house.rows("CREATE TABLE two_houses_row (id bigint PRIMARY KEY, tenant_id integer NOT NULL, n bigint NOT NULL)")
    house.rows("INSERT INTO two_houses_row SELECT n, n, 0 FROM generate_series(1, %s) n", house.tenants)
    house.rows(f"ALTER TABLE two_houses_row OWNER TO {cluster.ROLE}")


def _take_away(house: House) -> None:
    ((pump,),) = house.rows("SELECT pg_get_functiondef('youtility_tasks_pump_v4'::regproc)")
    assert "youtility_tasks_claim_v2(" in pump, "the pump claims by another function: replace that one"
    assert "youtility_tasks_finish_v2(" in pump, "the pump finishes by another function: replace that one"
    if not house.guards.fence:
        ((finish,),) = house.rows("SELECT pg_get_functiondef('youtility_tasks_finish_v2'::regproc)")
        assert finish.count(_FENCE) == 1, "the fence is written in another way now"
        house.rows(finish.replace(_FENCE, ""))
    if not house.guards.turns:
        text = (_HERE / "two_houses" / "plain_claim.sql").read_text(encoding="ascii")
        house.rows(text if house.guards.fence else text.replace(" claim_number = j.claim_number + 1,", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what keeping tenants apart costs a drain; JSON on stdout.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--tenants", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--each", action="store_true", help="also each guard alone")
    given = parser.parse_args()
    with terminable():  # a kill leaves neither servers nor workers
        found = measure(
            [OFF, ON, *(SINGLE if given.each else ())],
            rounds=given.rounds,
            jobs=given.jobs,
            tenants=given.tenants,
            tasks=given.tasks,
        )
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
