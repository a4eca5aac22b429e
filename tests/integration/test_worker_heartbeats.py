"""What a worker tells of itself beside its lease: stored by the database's clock, kept for two days, read by whoever asks."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.acceptance.app import mutants
from tests.acceptance.app.mutants import Mutant
from tests.integration.desk import Desk, rows
from youtility_tasks import orders, queries
from youtility_tasks.documents import queues as documents
from youtility_tasks.models import TaskWorker, WorkerHeartbeat
from youtility_tasks.status import Replacement
from youtility_tasks.upkeep import duties
from youtility_tasks.workers import beats
from youtility_tasks.workers.beats import Beats
from youtility_tasks.workers.replaced import Replaced

pytestmark = pytest.mark.django_db

SAMPLE = {"memory_bytes": 5, "children_bytes": 6, "child_count": 1, "running_mean": 1.5, "running_most": 2, "cpu": 0.25}


def beat(worker_id: int, *, sample: dict[str, Any] | None = None, about: dict[str, Any] | None = None) -> None:
    given = {
        "sample": json.dumps(sample) if sample is not None else None,
        "about": json.dumps(about) if about is not None else None,
    }
    queries.run("beat", {"worker_id": worker_id, **given})


def test_a_sample_and_what_is_new_are_stored_each_by_itself() -> None:
    desk, beside = Desk(), Desk()
    its = Replaced()
    its.note(41, Replacement.MEMORY, "700 MiB")
    its.note(42, Replacement.CRASHED, "signal SIGSEGV", [7])

    beat(desk.id, sample=SAMPLE)
    beat(desk.id, about={"version": "1.2", "python": "3.12", **its.as_row()})
    beat(desk.id)
    beat(10_000, sample=SAMPLE, about={})

    found = documents.one_worker(orders.find(desk.id), orders.lately(desk.id))
    (row,) = found["heartbeats"]
    assert (row["memory_bytes"], row["children_memory_bytes"], row["children"]) == (5, 6, 1)
    assert (row["running_mean"], row["running_most"], row["cpu"]) == (1.5, 2, 0.25)
    assert (found["version"], found["python"], found["replaced"]) == ("1.2", "3.12", {"memory": 1, "crashed": 1})
    crashed, grown = found["replacements"]
    assert (crashed["pid"], crashed["why"], crashed["how"], crashed["jobs"]) == (42, "crashed", "signal SIGSEGV", [7])
    assert grown["at"] <= crashed["at"]
    assert abs(datetime.fromisoformat(crashed["at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert documents.one_worker(orders.find(beside.id), orders.lately(beside.id))["replacements"] == []
    assert WorkerHeartbeat.objects.count() == 1


def test_samples_are_forgotten_after_two_days(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    for hours in (1, 47, 49, 100):
        WorkerHeartbeat.objects.create(worker_id=1, at=now - timedelta(hours=hours), **SAMPLE)
    duty = next(each for each in duties.DUTIES if each.name == "forget heartbeats")
    monkeypatch.setattr(duties.prune, "BATCH", 1)

    assert duty.act(now, lambda: False) == (1, False)
    monkeypatch.setattr(duties.prune, "BATCH", 20_000)
    assert duty.act(now, lambda: False) == (1, True)
    assert [round((now - each.at).total_seconds() / 3_600) for each in WorkerHeartbeat.objects.order_by("-at")] == [
        1,
        47,
    ]


# -- when it is told


class FakeLink:
    """Remembers what is asked; nobody answers."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.asked: list[dict[str, Any]] = []

    async def ask(self, name: str, **parameters: Any) -> list[Any]:
        assert name == "beat"
        self.asked.append(parameters)
        return []


def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a worker told in some heartbeats of three minutes: "s" with a sample, "a" with what is new."""
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(beats, "time", SimpleNamespace(monotonic=lambda: clock.now))
    its = Replaced()
    children = SimpleNamespace(running=lambda: 3, memory_bytes=7, members=[1], replaced=its, pids=set)
    worker = SimpleNamespace(id=5)
    link = FakeLink()
    made = Beats(cast(Any, link), cast(Any, children), cast(Any, SimpleNamespace(pid=1)), lambda: worker.id)

    async def live() -> None:
        for n in range(60):
            clock.now += 3
            if n == 30:
                its.note(1, Replacement.JOBS, "3 jobs")
            if n == 50:
                worker.id = 6  # it was given up, and registered anew
            made.look()
            await made.tell()

    asyncio.run(live())
    last = json.loads([each["sample"] for each in link.asked if each["sample"]][-1])
    assert (last["running_mean"], last["running_most"], last["children_bytes"]) == (3.0, 3, 7)
    return ["".join(word for word, name in (("s", "sample"), ("a", "about")) if each[name]) for each in link.asked]


def test_a_worker_tells_once_a_minute_and_what_is_new_at_its_next_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    # Versions at the first; samples after 6, 66 and 126 s; a child at 93 s; a new row at 153 s.
    assert asked(monkeypatch) == ["a", "s", "s", "a", "s", "a"]


@pytest.mark.parametrize(
    ("guard", "instead"),
    [
        ("time.monotonic() >= self._sample_at", "True"),
        ("worker_id != self._told_id or", ""),
        ("or count != self._told_count", ""),
        ("and len(self._looks) >= _LOOKS", ""),
        ("self._told_id, self._told_count = worker_id, count", "pass"),
    ],
)
def test_each_guard_is_needed(monkeypatch: pytest.MonkeyPatch, guard: str, instead: str) -> None:
    monkeypatch.setattr(Beats, "tell", Beats.tell)  # put back after the test
    mutants.apply(Mutant("youtility_tasks.workers.beats", "Beats.tell", guard, instead))

    assert asked(monkeypatch) != ["a", "s", "s", "a", "s", "a"]


def test_the_samples_of_one_worker_are_found_by_an_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO youtility_tasks_workerheartbeat (worker_id, at, memory_bytes, children_bytes, child_count, running_mean,"
            " running_most, cpu) SELECT mod(n, 20), now() - n * interval '3 s', 1, 1, 1, 1, 1, 1 FROM generate_series(1, 20000) n"
        )
        cursor.execute("ANALYZE youtility_tasks_workerheartbeat")
    with CaptureQueriesContext(connection) as captured:
        assert 0 < len(orders.lately(7)) <= 61
    (query,) = captured.captured_queries
    plan = str(rows(f"EXPLAIN {query['sql']}"))
    assert "yt_heartbeat" in plan and "Seq Scan" not in plan, plan


def test_a_worker_of_the_release_before_registers_as_ever() -> None:
    worker = TaskWorker.objects.get(pk=Desk().id)

    assert (worker.version, worker.python, worker.replaced) == ("", "", None)
