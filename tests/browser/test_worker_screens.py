"""The pages of workers: looked at in every light, and each act from its button to the audit log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.browser.sight import Screen
from youtility_tasks import Task, tenant
from youtility_tasks.models import Job, TaskAuditLog, TaskWorker, WorkerHeartbeat

HOSTILE = "<script>alert(1)</script></script><b>bold</b> \u202egnp.exe =HYPERLINK(1) \U0001f600"
MIB = 2**20


@pytest.fixture
def fleet(acme: int, other_tenant: int, add_task: Task) -> dict[str, Any]:
    """Five workers: one that has been through a lot, one quiet, one that leaves, one silent, one gone."""
    now = timezone.now()
    with tenant(acme):
        mine = [int(add_task.enqueue(number=n).id) for n in range(3)]
    with tenant(other_tenant):
        theirs = int(add_task.enqueue(number=9).id)
    children = [
        {"pid": 812, "memory_bytes": 148 * MIB, "jobs": 3, "done": 1_204, "running": mine[:2]},
        {"pid": 877, "memory_bytes": 96 * MIB, "jobs": 1, "done": 41, "running": [theirs]},
    ]
    last = [
        {
            "why": "crashed",
            "how": "signal SIGSEGV",
            "jobs": [mine[0]],
            "pid": 811,
            "at": (now - timedelta(minutes=4)).isoformat(),
        },
        {"why": "memory", "how": "530 MiB", "jobs": [], "pid": 790, "at": (now - timedelta(minutes=26)).isoformat()},
        {
            "why": "timed_out",
            "how": HOSTILE,
            "jobs": [mine[1], theirs],
            "pid": 640,
            "at": (now - timedelta(hours=3)).isoformat(),
        },
    ]
    row = {"host": "web-1", "token": "t", "slots": 8, "version": "0.1.0", "python": "3.12.4", "memory_bytes": 71 * MIB}
    TaskWorker.objects.bulk_create(
        [
            TaskWorker(
                id=31, pid=700, supervisor_pid=699, queue_name="maintenance", status="running", children=children,
                started_at=now - timedelta(hours=5), replaced={"counts": {"memory": 4, "crashed": 1, "timed_out": 1, "jobs": 12}, "last": last}, **row,
            ),
            TaskWorker(
                id=32, pid=720, queue_name="email", status="quiet", told="quiet", told_by=HOSTILE, told_reason=HOSTILE, told_at=now, **row
            ),
            TaskWorker(id=33, pid=740, queue_name="reports", status="draining", **{**row, "version": "0.2.0"}),
            TaskWorker(id=34, pid=760, queue_name="high_priority", status="running", heartbeat_at=now - timedelta(minutes=2), **{**row, "host": HOSTILE}),
            TaskWorker(id=35, pid=780, queue_name="email", status="lost", stopped_at=now, **row),
        ]
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (31)")
    Job.objects.filter(pk__in=[*mine, theirs]).update(
        status="doing", worker_id=31, claimed_at=now - timedelta(seconds=40)
    )
    WorkerHeartbeat.objects.bulk_create(
        WorkerHeartbeat(
            worker_id=31, at=now - timedelta(minutes=n), memory_bytes=(64 + n % 7) * MIB, children_bytes=(244 + (n * 13) % 190) * MIB,
            child_count=2, running_mean=2 + n % 4, running_most=4 + n % 5, cpu=0.4 + (n % 9) / 10,
        )
        for n in range(55, -1, -1)
    )  # fmt: skip
    return {"mine": mine, "theirs": theirs}


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_the_pages_are_clean_in_every_light(
    screen: Callable[..., Screen], fleet: dict[str, Any], shots: Path, width: int, dark: bool
) -> None:
    ops = screen("ops", "workers/?gone=1", width=width, dark=dark)
    said = {each.split()[0]: each for each in ops.page.locator("tbody tr").all_inner_texts()}
    for worker_id, word in {"31": "running", "32": "quiet", "33": "leaving", "34": "silent", "35": "lost"}.items():
        assert word in said[worker_id], said[worker_id]
    assert "No worker takes jobs of email" in ops.page.locator("main").inner_text()
    assert "2 versions" in ops.page.locator(".worker-sum").inner_text()
    ops.shoot(shots, f"workers-{width}{'-dark' if dark else ''}")
    ops.check_accessible()
    ops.check_fits()

    ops.go("workers/31/")
    ops.page.locator(".chart canvas").nth(2).wait_for()
    held = ops.page.locator("#now tbody").last.locator("th").all_inner_texts()
    assert [int(each) for each in held] == [*fleet["mine"], fleet["theirs"]]
    assert HOSTILE in ops.page.locator("#replaced").text_content()
    assert "12 share of jobs done" in ops.page.locator(".replaced").inner_text()
    ops.shoot(shots, f"worker-{width}{'-dark' if dark else ''}")
    ops.check_accessible()
    ops.check_fits()

    if width == 1280 and not dark:
        ops.page.locator(".spans").get_by_role("link", name="24h").click()
        ops.page.locator(".spans [aria-current]", has_text="24h").wait_for()
        ops.go("workers/32/")
        ops.page.get_by_text("It has told nothing of this time.").wait_for()
        assert ops.page.locator(".flash").inner_text().count("<b>bold</b>") == 2


def test_a_worker_is_made_quiet_goes_on_and_leaves(screen: Callable[..., Screen], fleet: dict[str, Any]) -> None:
    ops = screen("ops", "workers/")
    row = ops.page.get_by_role("row").filter(has=ops.page.get_by_role("link", name="31", exact=True))

    def tell(where: Any, button: str, confirm: str, *, says: str, reason: str) -> None:
        where.get_by_role("link", name=button, exact=True).click()
        dialog = ops.page.get_by_role("dialog")
        dialog.get_by_text(says).wait_for()
        dialog.get_by_label("Reason").fill(reason)
        dialog.get_by_role("button", name=confirm, exact=True).click()
        ops.page.locator(".flash.is-success").wait_for()

    tell(row, "Quiet", "Let it be quiet", says="holds 4 jobs now", reason="deploy")
    row.get_by_text("told to be quiet").wait_for()
    assert TaskWorker.objects.get(pk=31).told == "quiet"
    tell(row, "Resume", "Resume", says="ops told it to be quiet: deploy", reason="deployed")
    row.get_by_text("running").wait_for()

    ops.go("workers/31/")
    head = ops.page.locator(".head")
    head.get_by_role("link", name="Drain", exact=True).click()
    dialog = ops.page.get_by_role("dialog")
    dialog.get_by_text("No other worker serves maintenance").wait_for()
    ops.check_accessible()
    dialog.get_by_role("button", name="Let it leave").click()
    assert TaskWorker.objects.get(pk=31).told == "", "without a reason"
    dialog.get_by_label("Reason").fill("the host goes away")
    dialog.get_by_role("button", name="Let it leave").click()
    ops.page.get_by_text("ops said so").wait_for()

    assert ops.page.locator(".head .button").count() == 0, "it cannot be taken back"
    found = TaskAuditLog.objects.filter(act__endswith="worker").order_by("pk").values_list("act", "reason", "actor")
    assert list(found) == [
        ("quiet worker", "deploy", "ops"), ("resume worker", "deployed", "ops"), ("drain worker", "the host goes away", "ops")
    ]  # fmt: skip
