"""The list of jobs: what narrows it, choosing rows, what is new."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.browser.sight import Screen
from youtility_tasks import Retry, Task, tenant
from youtility_tasks.models import Job, TaskAuditLog
from youtility_tasks.testing import run_jobs

HOSTILE = "<script>alert(1)</script></script> \u202eevil\u202c \U0001f4a3 =HYPERLINK(1)"


def bomb(*, number: int = 0) -> None:
    """Fail with words that must be shown as text."""
    raise ValueError(HOSTILE + " x" * 500_000 if number == 1 else f"{HOSTILE} {number}")


@pytest.fixture
def bomb_task(declare: Callable[..., Task]) -> Task:
    return declare(bomb, name="write_monthly_report", queue_name="email", retry=Retry(1))


@pytest.fixture
def some(acme: int, other_tenant: int, add_task: Task, bomb_task: Task) -> dict[str, list[int]]:
    """Ended, failed and waiting jobs of Acme, and one of another tenant."""
    with tenant(acme):
        ended = [int(add_task.enqueue(number=n).id) for n in range(3)]
        failed = [int(bomb_task.enqueue(number=n).id) for n in range(3)]
        run_jobs()
        waiting = [int(add_task.enqueue(number=n).id) for n in range(4)]
    with tenant(other_tenant):
        theirs = [int(add_task.enqueue(number=9).id)]
    return {"ended": ended, "failed": failed, "waiting": waiting, "theirs": theirs}


@pytest.mark.parametrize("dark", [False, True])
def test_the_list_is_clean_in_every_light_and_width(
    screen: Callable[..., Screen], some: dict[str, list[int]], shots: Path, dark: bool
) -> None:
    mine = screen("operator", "jobs/", dark=dark)
    for width in (390,) if dark else (1280, 390):
        mine.page.set_viewport_size({"width": width, "height": 900})
        mine.check_accessible()
        mine.check_fits()
        mine.shoot(shots, f"jobs-{width}{'-dark' if dark else ''}")
    assert mine.page.get_by_text("<script>alert(1)</script>").count() == 3
    if not dark:
        ops = screen("ops", "jobs/?status=failed")
        ops.page.get_by_role("link", name="Retry all").wait_for()
        ops.check_accessible()
        ops.shoot(shots, "jobs-ops")
        assert ops.page.get_by_text("<script>alert(1)</script>").count() == 0


def test_chosen_jobs_are_retried_and_what_an_act_is_not_for_is_not_offered(
    screen: Callable[..., Screen], some: dict[str, list[int]], shots: Path
) -> None:
    mine = screen("operator", "jobs/")
    mine.page.get_by_label(f"Choose job {some['failed'][0]}").check()
    mine.page.get_by_label(f"Choose job {some['failed'][1]}").check()
    assert mine.page.get_by_role("button", name="Cancel").count() == 0
    mine.shoot(shots, "jobs-chosen")
    mine.check_accessible()

    mine.page.get_by_role("button", name="Retry 2").click()
    mine.page.locator("dialog").get_by_role("button", name="Retry").click()

    mine.page.get_by_text("2 jobs are retried.").wait_for()
    assert set(Job.objects.filter(status="todo", pk__in=some["failed"]).values_list("pk", flat=True)) == set(
        some["failed"][:2]
    )
    assert TaskAuditLog.objects.get(act="retry").actor == "operator"


def test_what_is_new_is_said_and_moves_nothing(
    screen: Callable[..., Screen], some, acme: int, add_task: Task, shots
) -> None:
    mine = screen("viewer", "jobs/?queue=maintenance")
    before = mine.page.locator(".jobs tbody tr").count()
    with tenant(acme):
        add_task.enqueue(number=50)
        add_task.enqueue(number=51)

    pill = mine.page.get_by_role("link", name="2 new")
    pill.wait_for()
    mine.check_accessible()
    mine.shoot(shots, "jobs-new")
    assert mine.page.locator(".jobs tbody tr").count() == before
    pill.click()

    mine.page.wait_for_function(f"document.querySelectorAll('.jobs tbody tr').length === {before + 2}")
    assert mine.page.url.endswith("jobs/?queue=maintenance")


def test_a_tab_that_nobody_sees_asks_for_nothing(screen: Callable[..., Screen], some: dict[str, list[int]]) -> None:
    mine = screen("viewer", "jobs/")
    mine.page.clock.install()
    mine.go("jobs/")
    mine.page.locator(".u-over").wait_for()
    mine.page.clock.run_for(2_000)
    asked: list[str] = []
    mine.page.on("request", lambda request: asked.append(request.url))

    mine.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    mine.page.clock.run_for(300_000)
    assert asked == []

    mine.page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    with mine.page.expect_request("**/live/pulse/*"):
        mine.page.clock.run_for(5_000)


def test_a_bar_of_the_chart_narrows_the_list_to_its_time_by_mouse_and_by_keyboard(
    screen: Callable[..., Screen], some: dict[str, list[int]]
) -> None:
    mine = screen("viewer", "jobs/?queue=email")
    bars = mine.page.locator(".u-over")
    bars.wait_for()
    box = bars.bounding_box()
    assert box is not None
    bars.click(position={"x": box["width"] - 3, "y": box["height"] / 2})

    mine.page.wait_for_url("**/jobs/?queue=email&since=*&until=*")
    assert mine.page.get_by_role("list", name="Filters").get_by_text("UTC").count() == 2
    mine.page.get_by_text("As a table").click()
    link = mine.page.get_by_role("region", name="Attempts that ended").get_by_role("link").first
    link.focus()
    mine.press("Enter")
    mine.page.wait_for_load_state()
    assert "since=" in mine.page.url and "until=" in mine.page.url


def test_charts_say_utc_in_whatever_zone_the_browser_is(
    screen: Callable[..., Screen], some: dict[str, list[int]]
) -> None:
    mine = screen("viewer", "choose/", zone="Asia/Kolkata")
    mine.page.add_init_script("""
        window.written = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (...given) { written.push(given[0]); write.apply(this, given); };
    """)
    mine.go("jobs/?queue=email")
    mine.page.locator(".u-over").wait_for()

    times = [each for each in mine.page.evaluate("written") if ":" in each]
    now = datetime.now(UTC)
    ago = [(now.hour * 60 + now.minute - int(each[:2]) * 60 - int(each[3:5])) % 1_440 for each in times]
    assert times[0].endswith(" UTC") and max(ago) <= 65


def test_the_pulse_rests_while_live_updates_are_off(screen: Callable[..., Screen], some: dict[str, list[int]]) -> None:
    mine = screen("viewer", "choose/")
    mine.page.clock.install()
    mine.go("jobs/")
    asked: list[str] = []
    mine.page.on("request", lambda request: asked.append(request.url) if "/live/pulse/" in request.url else None)

    mine.press("r")
    mine.page.clock.run_for(20_000)
    assert asked == []
    mine.press("r")
    with mine.page.expect_request("**/live/pulse/**"):
        mine.page.clock.run_for(5_000)


def test_a_view_is_kept_by_its_name_and_taken_away(
    screen: Callable[..., Screen], some: dict[str, list[int]], shots: Path
) -> None:
    mine = screen("viewer", "jobs/?status=failed&queue=email")
    mine.page.get_by_text("Keep as a view").click()
    mine.page.get_by_label("Name of the view").fill("Failed <b>mails</b>")
    mine.page.get_by_role("button", name="Keep").click()

    mine.page.get_by_text("is kept.").wait_for()
    mine.check_accessible()
    mine.shoot(shots, "jobs-view")
    mine.go("jobs/")
    mine.page.get_by_role("link", name="Failed <b>mails</b>").click()
    mine.page.wait_for_url("**/jobs/?status=failed&queue=email")
    mine.page.get_by_label("Take the view Failed <b>mails</b> away").click()

    mine.page.wait_for_url("**/jobs/")
    assert mine.page.get_by_role("link", name="Failed <b>mails</b>").count() == 0
