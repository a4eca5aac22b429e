"""What all pages have: who may come in, the bar, the keys, the theme, acts in a dialog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.sight import Screen
from youtility_tasks import Task, acts, controls, tenant
from youtility_tasks.models import Job, TaskAuditLog


def test_who_is_not_signed_in_signs_in_and_lands_where_they_wanted(screen, person) -> None:
    viewer = person("viewer")
    viewer.set_password("a long one for tests")
    viewer.save()
    mine = screen("anonymous", "workers/?tenant=7")

    mine.page.get_by_label("Username").fill("viewer")
    mine.page.get_by_label("Password").fill("a long one for tests")
    mine.page.get_by_role("button", name="Sign in").click()

    mine.page.get_by_role("heading", name="Not allowed").wait_for()
    assert "/tasks/workers/?tenant=7" in mine.page.url
    mine.check_accessible()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_are_clean_in_every_light_and_width(
    screen: Callable[..., Screen], shots: Path, dark: bool, width: int
) -> None:
    ops = screen("ops", "", width=width, dark=dark)
    for path in ("", "workers/", "choose/"):
        ops.go(path)
        ops.check_accessible()
        ops.check_fits()
        ops.shoot(shots, f"{path.strip('/') or 'overview'}-{width}{'-dark' if dark else ''}")


def test_keys_go_to_pages_and_can_be_switched_off(screen: Callable[..., Screen]) -> None:
    ops = screen("ops")
    ops.press("g", "p")
    ops.page.wait_for_url("**/workers/")  # loaded, so its scripts have run
    ops.press("?")
    ops.page.get_by_label("Use these keys").uncheck()
    ops.press("Escape")

    ops.press("g", "o")

    assert ops.page.url.endswith("/tasks/workers/")


def test_the_theme_is_kept(screen: Callable[..., Screen]) -> None:
    ops = screen("ops")
    ops.press("t", "t")
    ops.go("workers/")
    assert ops.page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_an_act_asks_first_and_is_entered_with_its_reason(screen, acme: int, add_task: Task) -> None:
    with tenant(acme):
        job_id = int(add_task.enqueue(number=1).id)
    operator = screen("operator", f"acts/cancel-job/?job={job_id}&next=/tasks/")
    operator.check_accessible()
    assert Job.objects.filter(pk=job_id).exists()

    operator.page.get_by_label("Reason").fill("not wanted <b>any</b> more")
    operator.page.get_by_role("button", name="Cancel the job").click()

    operator.page.get_by_text(f"Job {job_id} is cancelled.").wait_for()
    entry = TaskAuditLog.objects.get(act="cancel")
    assert (entry.actor, entry.reason, entry.tenant_id) == ("operator", "not wanted <b>any</b> more", acme)


def test_an_act_that_came_too_late_says_so_and_changes_nothing(screen, acme: int, add_task: Task) -> None:
    with tenant(acme):
        job_id = int(add_task.enqueue(number=1).id)
    operator = screen("operator", f"acts/cancel-job/?job={job_id}")
    acts.cancel(job_id, "somebody else was first")
    operator.page.get_by_label("Reason").fill("mine")

    operator.page.get_by_role("button", name="Cancel the job").click()

    operator.page.get_by_role("alert").get_by_text("cannot be cancelled").first.wait_for()
    assert TaskAuditLog.objects.filter(act="cancel").count() == 1


def test_what_comes_by_itself_stays_while_the_database_is_away_and_goes_on_afterwards(
    screen: Callable[..., Screen],
) -> None:
    ops = screen("ops")
    away = '<div class="problem"><h2>Database unavailable</h2><p>The database does not answer.</p></div>'
    ops.page.route("**/tasks/?part=now", lambda route: route.fulfill(status=503, content_type="text/html", body=away))
    ask = "htmx.trigger(document.getElementById('now'), 'live')"
    ops.page.evaluate(ask)

    note = ops.page.get_by_text("Not up to date since")
    note.wait_for()
    assert "The database does not answer." in note.inner_text()
    assert ops.page.locator("#now .tiles").count() == 1, "with what was known"
    ops.complaints.clear()  # htmx says what was answered
    ops.page.unroute("**/tasks/?part=now")
    ops.page.evaluate(ask)

    note.wait_for(state="detached")
    assert ops.page.locator("#now .tiles").count() == 1


def test_an_act_leads_back_to_the_page_from_a_part_that_came_by_itself(screen: Callable[..., Screen]) -> None:
    controls.pause(queue="email", reason="the relay is down")
    ops = screen("ops")
    with ops.page.expect_response("**/tasks/?part=now"):
        ops.page.evaluate("htmx.trigger(document.getElementById('now'), 'live')")
    ops.page.locator("#now:not(.htmx-request)").wait_for()
    ops.page.get_by_role("link", name="Resume").click()
    ops.page.locator("dialog").get_by_role("button", name="Resume").click()

    ops.page.get_by_role("heading", name="Overview").wait_for()
    assert ops.page.url.endswith("/tasks/")
