"""Schedules in a browser: the list, one of them, its form with the live preview, and its acts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.browser.sight import Screen
from youtility_tasks import Task, schedules, tenant
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution
from youtility_tasks.testing import run_jobs

HOSTILE = "</script><img src=x onerror=alert(1)> \u05e9\u05dc\u05d5\u05dd \U0001f525 =1+1"


@pytest.fixture
def seeded(acme: int, add_task: Task, fail_task: Task) -> dict[str, int]:
    """Schedules in every state, with sixty runs of one."""
    now = timezone.now().replace(microsecond=0)
    with tenant(acme):
        made = {
            name: schedules.create(name, task, zone="Europe/Berlin", reason="wanted", **said).pk
            for name, task, said in (
                ("evening report", "add", {"cron": "30 18 * * *", "days": "working_days"}),
                ("late one", "add", {"cron": "*/5 * * * *"}),
                ("fails", "fail", {"cron": "0 * * * *"}),
                ("waits for the printer", "add", {"every_s": 900}),
                (HOSTILE, "add", {"cron": "0 2 * * *", "quiet": None}),
            )
        }
        schedules.run_now("fails")
        schedules.run_now("evening report")
        run_jobs()
        schedules.pause("waits for the printer", minutes=600, reason=f"\u202e{HOSTILE}")
        schedules.holidays.add((now + timedelta(days=3)).date(), "Founders' day")
    occurrences = [
        ScheduledTaskExecution(
            tenant_id=acme, schedule_id=made["evening report"], tick_at=now - timedelta(days=n + 1), version=1,
            outcome="skipped" if n % 7 == 3 else "fired", reason="missed" if n % 7 == 3 else "", detail=HOSTILE if n == 3 else "",
        )
        for n in range(60)
    ]  # fmt: skip
    ScheduledTaskExecution.objects.bulk_create(occurrences)
    ScheduledTask.objects.filter(name="late one").update(next_at=now - timedelta(minutes=9))
    return made


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_schedules_look_well(
    screen: Callable[..., Screen], shots: Path, seeded: dict[str, int], width: int, dark: bool
) -> None:
    admin = screen("admin", "schedules/", width=width, dark=dark)
    paths = {
        "schedules": "schedules/", "schedule": f"schedules/{seeded['evening report']}/", "schedule-form": f"acts/change-schedule/?schedule={seeded['evening report']}",
        "holidays": "schedules/holidays/",
    }  # fmt: skip
    for name, path in paths.items():
        admin.go(path)
        if name == "schedule-form":
            admin.page.locator("#preview .coming li").first.wait_for()
        admin.check_accessible()
        admin.check_fits()
        admin.shoot(shots, f"{name}-{width}{'-dark' if dark else ''}")


def test_the_preview_follows_the_form_and_saving_says_what_is_wrong(
    screen: Callable[..., Screen], seeded: dict[str, int]
) -> None:
    admin = screen("admin", f"schedules/{seeded['evening report']}/")
    admin.page.get_by_role("link", name="Edit").click()
    admin.page.locator("#preview .wall").first.wait_for()

    admin.page.get_by_label("Cron").fill("15 7 * * *")
    admin.page.locator("#preview .wall", has_text="07:15").first.wait_for()
    admin.page.get_by_label("Cron").fill("99 7 * * *")
    admin.page.locator("#preview").get_by_text("Right are five fields").wait_for()
    admin.page.get_by_label("Zone").fill("Asia/Kolkatta")
    admin.page.get_by_role("button", name="Save").click()

    admin.page.get_by_role("alert").get_by_text("Did you mean 'Asia/Kolkata'?").wait_for()
    admin.page.get_by_label("Cron").fill("15 7 * * *")
    admin.page.get_by_label("Zone").fill("Asia/Kolkata")
    admin.page.get_by_label("Reason").fill("earlier")
    admin.page.get_by_role("button", name="Save").click()
    admin.page.get_by_text("evening report is changed.").wait_for()
    assert admin.page.url.endswith(f"/tasks/schedules/{seeded['evening report']}/")
    row = ScheduledTask.objects.get(pk=seeded["evening report"])
    assert (row.cron, row.zone, row.version) == ("15 7 * * *", "Asia/Kolkata", 2)


def test_an_operator_pauses_resumes_and_runs_in_dialogs(
    screen: Callable[..., Screen], seeded: dict[str, int], acme: Any
) -> None:
    operator = screen("operator", f"schedules/{seeded['evening report']}/")
    assert operator.page.get_by_role("link", name="Edit").count() == 0

    operator.page.get_by_role("link", name="Pause").click()
    operator.page.get_by_label("For (optional)").select_option("60")
    operator.page.get_by_label("Reason").fill("the printer is away")
    operator.page.get_by_role("button", name="Pause").click()
    operator.page.get_by_text("Paused by operator until").first.wait_for()
    operator.page.get_by_role("link", name="Resume").click()
    operator.page.get_by_role("button", name="Resume").click()
    operator.page.get_by_text("fires again.").first.wait_for()
    operator.page.get_by_role("link", name="Run now").click()
    operator.page.get_by_role("button", name="Run now").click()
    operator.page.get_by_text("was made.").first.wait_for()
    assert "/tasks/jobs/" in operator.page.url
