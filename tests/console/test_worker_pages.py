"""The pages of workers without a browser: their words, their cost, who may act, and the numbers of the charts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from tests.console.conftest import MOST, Pages
from youtility_tasks.console import worker_charts, workers
from youtility_tasks.documents import queues as documents
from youtility_tasks.models import TaskAuditLog, TaskWorker, WorkerHeartbeat

pytestmark = pytest.mark.django_db

STANDING: dict[tuple[str, str, bool], tuple[str, set[str]]] = {
    ("running", "", False): ("running", {"quiet", "drain"}),
    ("running", "quiet", False): ("told to be quiet", {"resume", "drain"}),
    ("quiet", "quiet", False): ("quiet", {"resume", "drain"}),
    ("quiet", "", False): ("told to go on", {"drain"}),
    ("running", "drain", False): ("told to leave", set()),
    ("draining", "drain", False): ("leaving", set()),
    ("draining", "", False): ("leaving", set()),
    ("running", "", True): ("silent", {"quiet", "drain"}),
    ("quiet", "quiet", True): ("silent", {"resume", "drain"}),
    ("stopped", "drain", False): ("stopped", set()),
    ("lost", "quiet", True): ("lost", set()),
}
"""Status, order and silence -> the word on the page, and the buttons."""


@pytest.fixture
def worker(acme: int) -> TaskWorker:
    children = [{"pid": 21, "memory_bytes": 64 << 20, "jobs": 1}]  # as a worker of the release before tells them
    return TaskWorker.objects.create(
        id=14, host="north", pid=11, token="t", queue_name="email", status="running", children=children
    )


@pytest.mark.parametrize(("status", "order", "is_silent"), STANDING)
def test_a_status_is_said_in_words_beside_the_buttons_that_are_legal(
    pages: Callable[[str], Pages], worker: TaskWorker, status: str, order: str, is_silent: bool
) -> None:
    heard = datetime.now(UTC) - timedelta(seconds=60 if is_silent else 0)
    TaskWorker.objects.update(status=status, told=order, heartbeat_at=heard)
    ops = pages("ops")

    word, buttons = STANDING[status, order, is_silent]
    for path in ("workers/?gone=1", "workers/14/"):
        said = ops.get(path).content.decode()
        assert f">{word}</span>" in said
        assert {act for act in ("quiet", "resume", "drain") if f"acts/{act}-worker/?" in said} == buttons
    assert all(ops.get(f"acts/{act}-worker/", worker=14).status_code == 200 for act in buttons)


def test_each_page_and_part_is_cheap(pages: Callable[[str], Pages], worker: TaskWorker) -> None:
    ops = pages("ops")
    for path, words in (
        ("workers/", {}),
        ("workers/14/", {}),
        ("workers/14/", {"part": "now"}),
        ("workers/14/", {"part": "charts"}),
    ):
        captured = [CaptureQueriesContext(each) for each in connections.all()]
        for each in captured:
            each.__enter__()
        assert ops.get(path, **words).status_code == 200
        for each in captured:
            each.__exit__(None, None, None)
        assert sum(len(each) for each in captured) <= MOST, path


def test_an_act_without_a_reason_where_it_hurts_and_one_that_comes_too_late_change_nothing(
    pages: Callable[[str], Pages], worker: TaskWorker
) -> None:
    ops = pages("ops")
    assert ops.post("acts/drain-worker/", worker=14).status_code == 422
    assert ops.post("acts/resume-worker/", worker=14).status_code == 409
    assert ops.post("acts/quiet-worker/", worker=99).status_code in (404, 409)
    assert ops.post("acts/quiet-worker/", worker="x").status_code == 422
    for who in ("admin", "operator", "viewer"):
        assert pages(who).post("acts/quiet-worker/", worker=14, reason="x").status_code == 403
    TaskWorker.objects.update(status="stopped")
    refused = ops.post("acts/drain-worker/", worker=14, reason="deploy")

    assert refused.status_code == 409 and "has gone: it is stopped" in refused.content.decode()
    assert TaskWorker.objects.get().told == "" and not TaskAuditLog.objects.filter(act__endswith="worker").exists()


def test_a_span_that_is_none_and_a_worker_that_never_was_are_told(
    pages: Callable[[str], Pages], worker: TaskWorker
) -> None:
    ops = pages("ops")
    refused = ops.get("workers/14/", span="7d")
    assert refused.status_code == 422 and "right is one of 1h, 6h, 24h, 2d" in refused.content.decode()
    assert ops.get("workers/15/").status_code == 404


# -- charts


def sample(minute: int, **more: Any) -> WorkerHeartbeat:
    its = {
        "memory_bytes": 2**20,
        "children_bytes": 2**21,
        "child_count": 1,
        "running_mean": 1.0,
        "running_most": 2,
        "cpu": 0.5,
    }
    at = datetime(2026, 11, 26, 9, tzinfo=UTC) + timedelta(minutes=minute)
    return WorkerHeartbeat(worker_id=14, at=at, **{**its, **more})


def test_samples_of_a_step_are_one_point_of_the_most_and_of_the_mean() -> None:
    some = [sample(0, cpu=0.2, running_most=9), sample(4, cpu=0.6, children_bytes=2**23), sample(5, cpu=3.0)]

    memory, cpu, running = worker_charts.drawn(some, 300)

    assert [each["values"] for each in memory.data["series"]] == [[8.0, 2.0], [1.0, 1.0]]
    assert cpu.data["series"][0]["values"] == [0.4, 3.0]
    assert [each["values"] for each in running.data["series"]] == [[9, 2], [1.0, 1.0]]
    assert memory.says == "9.0 MiB at most, 3.0 MiB at last." and cpu.says == "3.00 processors at most, 3.00 at last."
    assert len(memory.rows) == len(memory.begins) == 2


def test_only_the_worker_and_the_time_that_are_asked_for_are_drawn(worker: TaskWorker) -> None:
    now = datetime.now(UTC)
    for number, minutes in ((14, 5), (14, 200), (15, 5)):
        one = sample(0)
        one.worker_id, one.at = number, now - timedelta(minutes=minutes)
        one.save()

    assert [len(worker_charts.of_worker(14, span)[0].begins) for span in ("1h", "6h")] == [1, 2]
    assert worker_charts.of_worker(16, "1h") == []


def test_a_line_counts_what_a_worker_of_before_tells_less_of(worker: TaskWorker) -> None:
    found = TaskWorker.objects.with_silence().get()

    line = workers._line(documents.one_worker(found, ()))

    assert (line["busy"], line["memory"], line["replaced_count"], line["replacements"]) == (1, 64 << 20, 0, [])
