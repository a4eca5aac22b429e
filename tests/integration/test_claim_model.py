"""The claim beside a slow one that is obviously right: random histories of several workers, tenants, locks, priorities and
schedules, with a stock worker among them, and every claim judged by what it left behind."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

QUEUE, OTHER_QUEUE = "email", "reports"
TENANTS = (0, 1, 2, 3, 4)
LOCKS = ("a", "b", "c", "d")
PRIORITIES = (-5, 1, 6, 10, 15)


@dataclass
class Row:
    """What the model knows of a job that has not ended."""

    id: int
    queue: str
    priority: int
    tenant_id: int
    lock: str | None
    is_future: bool
    status: str = "todo"


@dataclass
class Session:
    """One worker: its connection, and the jobs that it holds with their claim numbers."""

    connection: psycopg.Connection[Any]
    worker_id: int
    held: dict[int, int] = field(default_factory=dict)


class Model:
    """The queue as it should be; `claimable` is the whole of the rule."""

    def __init__(self, url: str, seed: int) -> None:
        self.url, self.random = url, random.Random(seed)  # noqa: S311 - a repeatable history
        self.jobs: dict[int, Row] = {}
        self.ended: set[int] = set()
        self.sql = psycopg.connect(url, autocommit=True)
        self.never_look_away()
        self.sessions = [self.session() for _ in range(3)]
        ((self.stock,),) = self.sql.execute("SELECT procrastinate_register_worker_v1()").fetchall()
        self.stock_holds: list[int] = []

    def session(self) -> Session:
        connection = psycopg.connect(self.url, autocommit=True)
        ((worker_id,),) = connection.execute(
            "SELECT youtility_tasks_register_v1('h', 1, 1, %s, 10)", [QUEUE]
        ).fetchall()
        return Session(connection, worker_id)

    def never_look_away(self) -> None:
        """After slow looks a claim leaves some jobs for a moment; on a slow machine that may be any claim."""
        name = "youtility_tasks_claim_v2"
        ((text,),) = self.sql.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", [name]
        ).fetchall()
        assert "interval := '3 ms'" in text
        self.sql.execute(text.replace("interval := '3 ms'", "interval := '1 hour'"))

    def close(self) -> None:
        for connection in (self.sql, *(each.connection for each in self.sessions)):
            connection.close()

    # -- the rule

    def claimable(self) -> list[Row]:
        running = {row.lock for row in self.jobs.values() if row.status == "doing" and row.lock}
        first: dict[str, Row] = {}
        for row in sorted(self.jobs.values(), key=lambda each: (-each.priority, each.id)):
            if row.status == "todo" and row.lock:
                first.setdefault(row.lock, row)
        return [
            row
            for row in self.jobs.values()
            if row.status == "todo"
            and row.queue == QUEUE
            and not row.is_future
            and (row.lock is None or (first[row.lock] is row and row.lock not in running))
        ]

    # -- what may happen

    def put(self) -> None:
        tenant_id, lock = self.random.choice(TENANTS), self.random.choice([None, None, *LOCKS])
        when = self.random.choice(
            ["NULL", "NULL", "now() - interval '1 minute' * random()", "now() + interval '1 day'"]
        )
        queue = self.random.choice([QUEUE] * 9 + [OTHER_QUEUE])
        priority = self.random.choice(PRIORITIES)
        # Beyond a hundred that wait behind locks, a claim looks at some locks in turn, whatever their priority.
        few = lock is not None and sum(row.lock is not None for row in self.jobs.values()) > 60
        for _ in range(0 if few else self.random.choice([1, 1, 5, 30])):
            ((job_id,),) = self.sql.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, tenant_id, scheduled_at, noted)"
                f" VALUES (%s, 't', %s, %s, %s, {when}, false) RETURNING id",
                [queue, priority, lock, tenant_id],
            ).fetchall()
            self.jobs[job_id] = Row(job_id, queue, priority, tenant_id, lock, "day" in when)

    def claim(self) -> None:
        session = self.random.choice(self.sessions)
        n = self.random.choice([1, 2, 5, 10, 100])
        may = {row.id: row for row in self.claimable()}
        taken = session.connection.execute(
            "SELECT id, claim_number FROM youtility_tasks_claim_v2(%s, %s, %s)", [QUEUE, session.worker_id, n]
        ).fetchall()
        ids = [job_id for job_id, _ in taken]
        assert len(set(ids)) == len(ids) == min(n, len(may)), f"{len(ids)} of {len(may)}, asked for {n}"
        assert set(ids) <= set(may)
        priorities = [may[job_id].priority for job_id in ids]
        assert priorities == sorted(priorities, reverse=True)
        left = [row for row in may.values() if row.id not in ids]
        if ids and left:
            assert max(row.priority for row in left) <= priorities[-1]
        for job_id, claim_number in taken:
            self.jobs[job_id].status = "doing"
            session.held[job_id] = claim_number
        locks = Counter(row.lock for row in self.jobs.values() if row.status == "doing" and row.lock)
        assert not locks or max(locks.values()) == 1

    def finish(self) -> None:
        session = self.random.choice(self.sessions)
        some = self.random.sample(sorted(session.held), self.random.randint(0, len(session.held)))
        rows = []
        for job_id in some:
            verdict = self.random.choice(["succeeded", "succeeded", "failed", "retry", "released", "crashed"])
            rows.append(
                {
                    "id": job_id, "claim_number": session.held.pop(job_id), "verdict": verdict, "outcome": verdict,
                    "delay_s": self.random.choice([0, 0, 3_600]) if verdict == "retry" else 0,
                }
            )  # fmt: skip
        ((accepted,),) = session.connection.execute(
            "SELECT youtility_tasks_finish_v2(%s, 'h', %s)", [session.worker_id, json.dumps(rows)]
        ).fetchall()
        assert sorted(accepted) == sorted(some)
        for row in rows:
            if row["verdict"] in ("succeeded", "failed"):
                del self.jobs[row["id"]]
                self.ended.add(row["id"])
            else:
                self.jobs[row["id"]].status = "todo"
                self.jobs[row["id"]].is_future |= bool(row["delay_s"])

    def reconnect(self) -> None:
        """A session is lost, and all that it remembered; its worker holds what it held."""
        session = self.random.choice(self.sessions)
        session.connection.close()
        session.connection = psycopg.connect(self.url, autocommit=True)

    def change_weights(self) -> None:
        """Some tenants have no row at all."""
        tenant_id = self.random.choice(TENANTS[1:])
        self.sql.execute("SET session_replication_role = replica")  # no rule keeps the row of one that has jobs
        self.sql.execute("DELETE FROM youtility_tasks_tenant WHERE id = %s", [tenant_id])
        self.sql.execute("RESET session_replication_role")
        if weight := self.random.choice([0, 1, 3, 10]):
            self.sql.execute(
                "INSERT INTO youtility_tasks_tenant (id, name, weight, is_active, created_at) VALUES (%s, 'x', %s, true, now())",
                [tenant_id, weight],
            )

    def come_due(self) -> None:
        self.sql.execute("UPDATE procrastinate_jobs SET scheduled_at = clock_timestamp() WHERE scheduled_at > now()")
        for row in self.jobs.values():
            row.is_future = False

    def stock_worker(self) -> None:
        """It takes one, or ends one."""
        if self.stock_holds and self.random.random() < 0.5:
            job_id = self.stock_holds.pop()
            self.sql.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", [job_id])
            del self.jobs[job_id]
            self.ended.add(job_id)
            return
        ((job_id,),) = self.sql.execute(
            "SELECT id FROM procrastinate_fetch_job_v2(ARRAY[%s]::varchar[], %s)", [QUEUE, self.stock]
        ).fetchall()
        assert (job_id is None) == (not self.claimable())
        if job_id is not None:
            assert job_id in {row.id for row in self.claimable()}
            self.jobs[job_id].status = "doing"
            self.stock_holds.append(job_id)

    def one_thing(self) -> None:
        acts = [
            self.put,
            self.claim,
            self.finish,
            self.stock_worker,
            self.change_weights,
            self.reconnect,
            self.come_due,
        ]
        self.random.choices(acts, weights=[6, 10, 6, 2, 1, 1, 0.3])[0]()

    def end_everything(self) -> None:
        """What is left is claimed and ended; all of it, and each job once."""
        self.come_due()
        while self.stock_holds:
            self.sql.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", [self.stock_holds[-1]])
            del self.jobs[self.stock_holds.pop()]
        for _ in range(10_000):
            if not any(row.queue == QUEUE for row in self.jobs.values()):
                return
            self.claim()
            self.finish()
            self.come_due()
            for row in [each for each in self.jobs.values() if each.queue != QUEUE and each.status == "todo"]:
                self.sql.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [row.id])
                del self.jobs[row.id]
        raise AssertionError(f"never claimed: {self.jobs}")


@pytest.fixture
def model(fresh_database: Any, request: pytest.FixtureRequest) -> Iterator[Model]:
    made = Model(fresh_database.url, request.param)
    yield made
    made.close()


@pytest.mark.parametrize("model", range(6), indirect=True)
def test_every_claim_takes_what_the_rule_would_take_first(model: Model) -> None:
    for _ in range(250):
        model.one_thing()
    model.end_everything()


@pytest.mark.parametrize("seed", range(4))
def test_shares_differ_by_less_than_one_turn_at_any_moment(fresh_database: Any, seed: int) -> None:
    """Start-time fair queueing's own bound, for random weights and sizes of claims; a tenant without a row counts as one."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    tenants = {n: chance.choice([1, 1, 2, 5, 9]) for n in range(1, chance.randint(3, 9))}
    with psycopg.connect(fresh_database.url, autocommit=True) as connection:
        for tenant_id, weight in tenants.items():
            if weight > 1:
                connection.execute(
                    "INSERT INTO youtility_tasks_tenant (id, name, weight, is_active, created_at) VALUES (%s, 'x', %s, true, now())",
                    [tenant_id, weight],
                )
            connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, noted)"
                " SELECT 'email', 't', %s, false FROM generate_series(1, 1500)",
                [tenant_id],
            )
        ((worker,),) = connection.execute("SELECT youtility_tasks_register_v1('h', 1, 1, 'email', 10)").fetchall()
        served: Counter[int] = Counter()
        for _ in range(40):
            n = chance.choice([1, 1, 3, 8, 40])
            taken = connection.execute(
                "SELECT tenant_id FROM youtility_tasks_claim_v2('email', %s, %s)", [worker, n]
            ).fetchall()
            served.update(owner for (owner,) in taken)
            for one, weight in tenants.items():
                for other, other_weight in tenants.items():
                    apart = served[one] / weight - served[other] / other_weight
                    assert apart <= 1 / weight + 1 / other_weight + 1e-6, (served, tenants)
