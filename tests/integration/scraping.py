"""A scrape as its numbers, and a house that has some of everything to count."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families as plain

from tests.integration.attempts import ended
from tests.integration.desk import Desk, execute
from youtility_tasks.exporter import answering
from youtility_tasks.models import ScheduledTask, TaskWorker
from youtility_tasks.upkeep import rollup

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def forget_connection() -> None:
    """A database with a session in it is not dropped."""
    for collector in answering.registry()._collector_to_names:
        collector._source.close()  # type: ignore[attr-defined]


def get(url: str, **headers: str) -> bytes:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - of this test's own
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return bytes(answer.read())


def values(text: bytes) -> Values:
    return {
        (each.name, frozenset(each.labels.items())): each.value
        for family in plain(text.decode())
        for each in family.samples
    }


def value(found: Values, name: str, **labels: str) -> float:
    return found[f"youtility_{name}", frozenset(labels.items())]


def some_of_everything() -> None:
    ended(3, wait_ms=3, run_ms=1_500)
    ended(2, outcome="retry", wait_ms=1_024, run_ms=None)
    rollup.fold()
    desk = Desk("email")
    desk.renew()
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) VALUES ('email', 'add', '{}', 'failed'), ('hostile', 'add', '{}', 'todo')"
    )
    execute(
        "INSERT INTO youtility_tasks_queuecounter (name, label, value) VALUES ('rescued_total', 'worker_silent', 4), ('stale_writes_rejected_total', '', 2)"
    )
    ScheduledTask.objects.create(
        name="nightly", task_name="add", cron="0 2 * * *", declared={}, next_at="2026-01-01T00:00:00Z"
    )
    ScheduledTask.objects.create(
        name="of a tenant", task_name="add", cron="0 2 * * *", tenant_id=7, next_at="2999-01-01T00:00:00Z"
    )
    TaskWorker.objects.filter(pk=desk.id).update(memory_bytes=1_000, children=[{"pid": 1}, {"pid": 2}])
