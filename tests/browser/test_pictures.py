"""The two pictures at the top of the README, of a working day: `TASKS_PICTURES=1 pytest tests/browser/test_pictures.py` makes them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from tests.browser.sight import Screen
from youtility_tasks import Retry, Run, Task, Workflow, controls, membership, tenant
from youtility_tasks.models import TaskWorker
from youtility_tasks.testing import run_jobs
from youtility_tasks.upkeep import rollup
from youtility_tasks.workflows.graph import COMPLETION, FAILURE

KEPT = Path(__file__).parent / "pictures"
README = Path(__file__).parents[2] / "README.md"
NAMES = [f"{page}{light}.png" for page in ("overview", "workflow") for light in ("", "-dark")]

_DAY = """
    INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, started_at,
                                         finished_at, status, outcome, is_final, wait_ms, run_ms)
    SELECT 1000000 + n, (ARRAY['send_ticket_email', 'auto_close_jobs', 'create_save_report_async', 'publish_mqtt'])[k.q],
           (ARRAY['email', 'high_priority', 'reports', 'maintenance'])[k.q], 7, 5, 1, 1, t.at - interval '2 s', t.at - interval '1 s', t.at,
           CASE WHEN n %% 97 IN (0, 1) THEN 'failed' ELSE 'succeeded' END,
           CASE n %% 97 WHEN 0 THEN 'failed' WHEN 1 THEN 'retry' ELSE 'succeeded' END, n %% 97 <> 1,
           (12 + 30 * abs(sin(n))) * k.q * (1.4 + sin(n / 450.0)), (25 + 60 * abs(cos(n * 7))) * k.q * k.q
      FROM generate_series(1, 3000) n, LATERAL (SELECT 1 + (n * 7 %% 10 > 4)::int + (n %% 17 = 3)::int + (n %% 5 = 2)::int AS q) k,
           LATERAL (SELECT %s - (3590 * (n / 3000.0 + .025 * sin(n / 150.0)) + 5) * interval '1 second' AS at) t
     WHERE n %% 13 <> (n / 230) %% 13
"""
"""An hour's attempts, a little more at times."""
_TIMES = """
    UPDATE youtility_tasks_workflowstep s
       SET released_at = %(start)s + t.begins * interval '1 minute',
           ended_at = CASE WHEN s.ended_at IS NOT NULL THEN %(start)s + t.ends * interval '1 minute' END
      FROM (VALUES ('collect readings', 0, 4.2), ('inspect sites', 4.2, 31), ('collect invoices', 4.2, 11), ('write report', 31, 37.5),
                   ('approve', 37.5, 99), ('upload', 37.5, 39), ('tell the client', 39, 39.4), ('archive', 39, 44), ('pack', 39, 42),
                   ('store', 42, 44)) t(name, begins, ends)
     WHERE s.name = t.name AND s.status NOT IN ('blocked', 'skipped')
"""
_RUNS = """
    UPDATE youtility_tasks_history h SET run_ms = extract(epoch FROM s.ended_at - s.released_at) * 1000 * .9, finished_at = now()
      FROM youtility_tasks_workflowstep s WHERE s.job_id = h.job_id AND s.ended_at IS NOT NULL
"""


def add(*, number: int = 0) -> dict[str, int]:
    return {"sum": number + 1}


def fail(*, number: int = 0) -> None:
    raise ConnectionError("the mail server does not answer")


@pytest.fixture
def add_task(declare: Callable[..., Task]) -> Task:
    return declare(add, name="take_readings", queue_name="maintenance", retry=Retry(2))


@pytest.fixture
def fail_task(declare: Callable[..., Task]) -> Task:
    return declare(fail, name="send_vendor_email", queue_name="email", retry=Retry(1))


@pytest.fixture
def day(acme: int, add_task: Task, fail_task: Task, person: Callable[[str], User]) -> None:
    """An hour of work: mail waits for a server that is away, one queue is paused, all else is served."""
    with connection.cursor() as cursor:
        cursor.execute(_DAY, [timezone.now()])
    with tenant(acme):
        for n in range(9):
            add_task.using(run_after=timezone.now() + timedelta(hours=n)).enqueue(number=n)
        for n in range(14):
            fail_task.enqueue(number=n)
        run_jobs()
        for n in range(11):
            add_task.enqueue(number=n)
    rollup.fold()
    with membership.acting(person("ops")):
        controls.pause(queue="reports", minutes=45, reason="the disk of reports is nearly full")
    for number, queue in enumerate(("email", "high_priority", "maintenance", "reports")):
        TaskWorker.objects.create(
            id=9_001 + number,
            host=f"web-{number % 2 + 1}",
            pid=811 + number,
            queue_name=queue,
            status="running",
            slots=4,
        )


def month_end(acme: int, add_task: Task, fail_task: Task) -> Run:
    """A run: it waits for somebody's word; one step has failed, and what follows a failure was done."""
    flow = Workflow("month's end", deadline=timedelta(hours=6))
    first = flow.step(add_task, name="collect readings")
    sites = flow.fan_out(add_task, range(60), item="number", name="inspect sites", after=first)
    bills = flow.step(add_task, name="collect invoices", after=first)
    report = flow.step(add_task, name="write report", after=[sites, bills])
    asked = flow.signal("approve", after=report, timeout=timedelta(days=2))
    flow.step(add_task, name="mail it", after=asked)
    bad = flow.step(fail_task, name="upload", after=report)
    flow.step(add_task, name="tell the client", after={bad: FAILURE})
    inner = Workflow("archive")
    packed = inner.step(add_task, name="pack")
    inner.step(add_task, name="store", after=packed)
    flow.sub(inner, name="archive", after={bad: COMPLETION})
    with tenant(acme):
        started = flow.start({"month": "2026-11"})
        run_jobs()
    start = timezone.now() - timedelta(minutes=52)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE youtility_tasks_taskworkflow SET started_at = %s", [start])
        cursor.execute(_TIMES, {"start": start})
        cursor.execute(_RUNS)
    return started


@pytest.mark.parametrize("dark", [False, True])
def test_the_pictures_are_made(
    screen: Callable[..., Screen], shots: Path, acme: int, day: None, add_task: Task, fail_task: Task, dark: bool
) -> None:
    folder = KEPT if os.environ.get("TASKS_PICTURES") else shots
    light = "-dark" if dark else ""
    ops = screen("ops", "", dark=dark)
    ops.page.locator(".chart canvas").nth(2).wait_for()
    ops.page.screenshot(path=folder / f"overview{light}.png", full_page=True)
    assert ops.page.locator(".trouble").count() == 2

    run = month_end(acme, add_task, fail_task)
    mine = screen("operator", f"workflows/{run.id}/", dark=dark)
    mine.page.locator("#graph .node.is-critical").first.wait_for()
    legs = mine.page.locator("#legs").bounding_box()
    assert legs is not None
    clip = {"x": 0, "y": 0, "width": 1280, "height": legs["y"] + legs["height"] + 16}
    mine.page.screenshot(path=folder / f"workflow{light}.png", full_page=True, clip=clip)  # type: ignore[arg-type]


def test_the_readme_shows_each_of_them() -> None:
    said = README.read_text(encoding="utf-8")

    assert [name for name in NAMES if f"tests/browser/pictures/{name}" not in said] == []
    assert sorted(each.name for each in KEPT.iterdir()) == sorted(NAMES)
