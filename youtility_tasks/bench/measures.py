"""What is measured of one system in one round. Each function leaves the system's queue empty and no worker running."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import budget, meter
from .cluster import Cluster
from .errors import NotEnded
from .processes import Client, Crew, Place, crew, lines
from .spread import percentiles
from .systems import OURS

MEASURES = ("enqueue", "bulk", "drain", "pickup", "startup", "idle", "memory")
_LIMIT_S = 300.0


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    single: int = 2000
    bulk: int = 10_000
    drain: int = 10_000
    pickup: int = 200
    idle_s: float = 30.0
    rounds: int = 3
    workers: tuple[int, ...] = (1, 2)


class Bench:
    """One system and the figures of its rounds, each a list with an entry a round."""

    def __init__(self, cluster: Cluster, place: Place, sizes: Sizes) -> None:
        self.cluster, self.place, self.sizes = cluster, place, sizes
        self.client = Client(place)
        self.figures: dict[str, list[Any]] = {}
        self._marks = 0

    def add(self, name: str, figure: Any) -> None:
        self.figures.setdefault(name, []).append(figure)

    def round(self, wanted: frozenset[str]) -> None:
        """Everything that was asked for, once."""
        for name in MEASURES:
            if name in wanted:
                self.client.ask("clear")
                self.cluster.settle(self.place.dbname)
                getattr(self, name)()

    def enqueue(self) -> None:
        """By a call alone, and in the transaction that an application has open for its own rows."""
        n, before = self.sizes.single, self.client.cpu_s()
        took = self.client.ask("single", n=n, in_transaction=False)["ms"]
        self.add("enqueue_cpu_s_per_1000", 1e3 * (self.client.cpu_s() - before) / n)
        self.add("enqueue_per_s", n / (sum(took) / 1e3))
        self.add("enqueue_ms", percentiles(took))
        if self.place.system.in_transaction:
            took = self.client.ask("single", n=n, in_transaction=True)["ms"]
            self.add("enqueue_in_transaction_per_s", n / (sum(took) / 1e3))
            self.add("enqueue_in_transaction_ms", percentiles(took))

    def bulk(self) -> None:
        n, before = self.sizes.bulk, self.client.cpu_s()
        self.add("bulk_per_s", n / self.client.ask("bulk", n=n, batch=1000)["seconds"])
        self.add("bulk_cpu_s_per_1000", 1e3 * (self.client.cpu_s() - before) / n)

    def drain(self) -> None:
        """From the moment a backlog becomes visible to warm workers until the last job's end is stored."""
        for workers in self.sizes.workers:
            self.client.ask("clear")
            with crew(self.place, workers) as made:
                self._warm(made)
                n, mark = self.sizes.drain, self._mark()
                released = self.client.ask("backlog", n=n, path=str(mark))["released"]
                before, parts = made.cpu_s(), self._parts(made)
                lines(mark, 1, made, _LIMIT_S)
                self._wait_until_none_is_left(made)
                name = "drain_jobs_per_s" if workers == 1 else f"drain_{workers}_workers_jobs_per_s"
                self.add(name, n / (time.time() - released))
                if workers == 1:
                    self.add("drain_cpu_s_per_1000", 1e3 * (made.cpu_s() - before) / n)
                    if parts:
                        self.add("budget_us", budget.a_job_us(parts, self._parts(made), n))

    def pickup(self) -> None:
        """From before the enqueue to the first line of the task, one job at a time on an idle worker."""
        with crew(self.place, 1) as made:
            self._warm(made)
            n, mark = self.sizes.pickup, self._mark()
            self.client.ask("pickup", n=n, path=str(mark), pause_s=0.015)
            waits = [1e3 * (started - sent) for sent, started in lines(mark, n, made, _LIMIT_S)]
            self.add("pickup_ms", percentiles(waits))

    def startup(self) -> None:
        """From the start of the worker's process to the first line of a job that waits for it."""
        mark = self._mark()
        self.client.ask("pickup", n=1, path=str(mark), pause_s=0)
        before = time.time()
        with crew(self.place, 1) as made:
            ((_, started),) = lines(mark, 1, made, _LIMIT_S)
            self.add("startup_s", started - before)
            self._wait_until_none_is_left(made)

    def idle(self) -> None:
        """What a worker costs that has nothing to do: its own CPU and the servers', and what it asks of PostgreSQL."""
        with crew(self.place, 1) as made:
            self._warm(made)
            self.cluster.count_statements(on=True)
            traffic, cpu, since = self.cluster.traffic(self.place.dbname), made.cpu_s(), time.monotonic()
            time.sleep(self.sizes.idle_s)
            cpu_s, seconds = made.cpu_s() - cpu, time.monotonic() - since
            after = self.cluster.traffic(self.place.dbname)
            self.cluster.count_statements(on=False)
            per_s = {f"{name}_per_s": (after[name] - traffic[name]) / seconds for name in traffic}
            self.add("idle", {**per_s, "cpu_s_per_30s": 30 * cpu_s / seconds})

    def memory(self) -> None:
        """Of each process of a worker after a thousand jobs."""
        with crew(self.place, 1) as made:
            self._warm(made)
            mark = self._mark()
            self.client.ask("backlog", n=1000, path=str(mark))
            lines(mark, 1, made, _LIMIT_S)
            self._wait_until_none_is_left(made)
            sizes = list(meter.pss_mib(made.processes[0].pid).values())
            self.add("memory_mib", {"processes": len(sizes), "largest": max(sizes), "total": sum(sizes)})

    def _parts(self, made: Crew) -> dict[str, float]:
        """CPU seconds by part; of ours alone, whose processes we know."""
        if self.place.system.name != OURS:
            return {}
        return budget.seconds(made.processes[0].pid, self.place.servers)

    def _warm(self, made: Crew) -> None:
        mark = self._mark()
        self.client.ask("backlog", n=50 * len(made.processes), path=str(mark))
        lines(mark, 1, made, _LIMIT_S)
        made.settle()
        self._wait_until_none_is_left(made)

    def _wait_until_none_is_left(self, made: Crew) -> None:
        give_up = time.monotonic() + _LIMIT_S
        while self.client.ask("left"):
            made.check()
            if time.monotonic() > give_up:
                raise NotEnded(f"{self.place.system.title}: jobs were left after {_LIMIT_S:.0f} s")
            time.sleep(0.002)

    def _mark(self) -> Path:
        self._marks += 1
        return self.place.folder / f"mark{self._marks}"
