"""One job and the failures, as people see them and act on them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sight import Screen
from youtility_tasks import Retry, Task, tenant
from youtility_tasks.models import Job, TaskAuditLog, TaskOperation
from youtility_tasks.testing import run_jobs

HOSTILE = "<script>alert(1)</script></script> \u202eevil\u202c \U0001f4a3 =HYPERLINK(1)"


def bomb(*, number: int = 0, to: str = "") -> None:
    """Fail with words that must be shown as text."""
    logging.getLogger("report").warning("about to fail %s", HOSTILE)
    raise ValueError(HOSTILE + " x" * 500_000 if number == 1 else f"{HOSTILE} {number}")


@pytest.fixture
def failed(acme: int, declare: Callable[..., Task]) -> list[int]:
    """Dead letters of Acme, of one error."""
    task = declare(bomb, name="write_monthly_report", queue_name="email", retry=Retry(1))
    with tenant(acme):
        ids = [int(task.enqueue(number=n, to=HOSTILE).id) for n in range(3)]
    run_jobs()
    return ids


@pytest.mark.parametrize("dark", [False, True])
def test_the_pages_are_clean_in_every_light_and_width(
    screen: Callable[..., Screen], failed: list[int], acme: int, add_task: Task, shots: Path, dark: bool
) -> None:
    with tenant(acme):
        waits = int(add_task.enqueue(number=1).id)
    fingerprint = Job.objects.get(pk=failed[0]).fingerprint
    mine = screen("operator", "jobs/", dark=dark)
    for name, path in {
        "job-failed": f"jobs/{failed[1]}/", "job-waits": f"jobs/{waits}/", "failures": "failures/",
        "failure": f"failures/{fingerprint}/",
    }.items():  # fmt: skip
        mine.page.set_viewport_size({"width": 1280, "height": 900})
        mine.go(path)
        if name.startswith("job-"):
            mine.page.get_by_role("heading", name="Who acted on it").wait_for()
        for width in (390,) if dark else (1280, 390):
            mine.page.set_viewport_size({"width": width, "height": 900})
            mine.check_accessible()
            mine.check_fits()
            mine.shoot(shots, f"{name}-{width}{'-dark' if dark else ''}")
        if name != "job-waits":
            assert mine.page.get_by_text("<script>alert(1)</script>").count() or name == "failures"


def test_a_group_is_retried_at_a_rate_and_the_operation_is_followed_and_stopped(
    screen: Callable[..., Screen], failed: list[int], shots: Path
) -> None:
    mine = screen("operator", "failures/")
    mine.page.get_by_role("link", name="ValueError").first.click()
    mine.page.get_by_role("link", name="Retry all").click()
    dialog = mine.page.locator("dialog[open]")
    dialog.get_by_text("Retry 2 jobs of tenant 7?").wait_for()
    mine.shoot(shots, "failure-retry")
    dialog.get_by_label("Jobs a second").fill("0.5")
    dialog.get_by_role("button", name="Retry them all").click()

    mine.page.get_by_role("heading", name="Retry dead letters").wait_for()
    mine.check_accessible()
    mine.shoot(shots, "operation")
    row = TaskOperation.objects.get()
    assert row.rate_per_s == 0.5
    mine.page.get_by_role("link", name="Stop").click()
    mine.page.locator("dialog[open]").get_by_role("button", name="Stop").click()

    mine.page.get_by_text(f"Operation {row.pk} is stopped.").wait_for()
    mine.go("operations/")
    mine.check_accessible()
    mine.shoot(shots, "operations")


def test_a_dead_letter_is_discarded_with_a_reason(screen: Callable[..., Screen], failed: list[int], acme: int) -> None:
    mine = screen("operator", f"jobs/{failed[0]}/")
    mine.page.get_by_role("link", name="Discard").click()
    dialog: Any = mine.page.locator("dialog[open]")
    dialog.get_by_label("Reason").fill("nobody wants it")
    dialog.get_by_role("button", name="Discard the job").click()

    mine.page.get_by_text(f"Job {failed[0]} is discarded.").wait_for()
    mine.page.get_by_text("nobody wants it").wait_for()
    assert TaskAuditLog.objects.get(act="discard").tenant_id == acme
