"""Run by `test_imports.py`: what django-celery-results has kept becomes history of ours, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_celery_results.models import TaskResult

from youtility_tasks import history, roster
from youtility_tasks.celery_bridge.past_results import Imported, import_results
from youtility_tasks.celery_bridge.sources import Tenants
from youtility_tasks.models import BridgeCall, Job, TaskExecutionHistory

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()


@pytest.fixture(autouse=True)
def acme() -> int:
    return roster.add(7, "ACME Towers").pk


def result(
    task_id: str, status: str = "SUCCESS", *, days_ago: float = 1, task: str | None = "site.sweep", **said: Any
) -> TaskResult:
    said = {
        "result": json.dumps(said.pop("gave", 3)),
        "content_type": "application/json",
        "content_encoding": "utf-8",
        **said,
    }
    made = TaskResult.objects.create(task_id=task_id, status=status, task_name=task, worker="celery@host-3", **said)
    ended = NOW - timedelta(days=days_ago)
    stamps = {
        "date_done": ended,
        "date_started": ended - timedelta(seconds=2),
        "date_created": ended - timedelta(seconds=5),
    }
    TaskResult.objects.filter(pk=made.pk).update(**stamps)
    return TaskResult.objects.get(pk=made.pk)


def enter(**options: Any) -> Imported:
    tenants = options.pop("tenants", Tenants(resolver=lambda name, args, kwargs: 7 if name == "site.greet" else None))
    return import_results(tenants, NOW, **options)


def test_ends_of_celery_are_ended_attempts_of_their_days_and_tenants() -> None:
    good = result("11111111-aaaa", days_ago=40, gave={"swept": [1, 2]})
    failure = {"exc_type": "ValueError", "exc_message": ["nobody is there"], "exc_module": "builtins"}
    result("22222222-bbbb", "FAILURE", task="site.greet", days_ago=3, gave=failure, traceback="Traceback ...")
    result("33333333-cccc", "REVOKED", days_ago=9, gave=None)
    for word in ("STARTED", "RETRY", "PENDING"):
        result(f"open-{word}", word)
    result("nameless", task=None)
    result("nobody's", task="site.unknown")
    result("ancient", days_ago=4_000)
    result("odd", result="no json", task="site.greet")

    dry = enter(dry_run=True)
    assert (
        dry.entered.total() == 4
        and not TaskExecutionHistory.objects.exists()
        and not BridgeCall.objects.exists()
        and dry.days == 0
    )

    done = enter()

    assert done.entered == dry.entered and done.days >= 3
    assert done.passed_over == dry.passed_over and done.passed_over.total() == 6
    assert {key.partition(" ")[0] for key in done.passed_over} == {"STARTED", "RETRY", "PENDING", "no", "older"}
    story = history.story(BridgeCall.objects.get(celery_id="11111111-aaaa").job_id)
    assert story is not None and story.job is None and story.status == "succeeded"
    attempt = story.attempts[0]
    assert (attempt.task_name, attempt.tenant_id, attempt.queue_name, attempt.result, attempt.host) == (
        "site.sweep",
        0,
        "maintenance",
        {"swept": [1, 2]},
        "host-3",
    )
    assert (attempt.finished_at, attempt.wait_ms, attempt.run_ms, attempt.is_final) == (
        good.date_done,
        3_000,
        2_000,
        True,
    )
    failed = TaskExecutionHistory.objects.get(status="failed")
    assert (failed.tenant_id, failed.error_class, failed.error_message, failed.traceback) == (
        7,
        "ValueError",
        "nobody is there",
        "Traceback ...",
    )
    assert TaskExecutionHistory.objects.get(task_name="site.greet", status="succeeded").result is None
    with connection.cursor() as cursor:
        day = good.date_done.astimezone(UTC).strftime("%Y%m%d")
        cursor.execute(f"SELECT count(*) FROM youtility_tasks_history_{day}")
        assert cursor.fetchone() == (1,), "in the partition of its day, which is dropped whole"

    assert not Job.objects.exists(), "neither to be run nor a dead letter"


def test_a_second_run_enters_what_is_new_and_nothing_twice() -> None:
    result("first")
    assert enter().entered.total() == 1
    result("second")

    done = enter()

    assert (done.entered.total(), done.already, TaskExecutionHistory.objects.count()) == (1, 1, 2)
    assert enter(since=NOW - timedelta(hours=1)).entered.total() == 0
    ids = list(TaskExecutionHistory.objects.values_list("job_id", flat=True))
    assert len(set(ids)) == 2


def test_a_fixed_tenant_and_unknown_tasks_are_history_as_well() -> None:
    result("theirs", task="site.unknown")

    assert enter(tenants=Tenants(fixed=7)).entered == {("site.unknown", "SUCCESS"): 1}
    made = TaskExecutionHistory.objects.get()
    assert (made.tenant_id, made.queue_name) == (7, "celery")
    assert datetime.now(UTC) - made.finished_at < timedelta(days=2)
