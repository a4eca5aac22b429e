"""Overview, queues and limits, tenants, workers, audit: as operators and tenants' people see them, and what they do there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tests.browser.sight import Screen
from youtility_tasks import Task, controls, roster, tenant
from youtility_tasks.models import QueueControl, TaskAuditLog, TaskWorker, TenantMembership
from youtility_tasks.testing import run_jobs

HOSTILE = "<script>alert(1)</script></script><b>bold</b> \u202egnp.exe =HYPERLINK(1)"


@pytest.fixture
def busy(acme: int, other_tenant: int, add_task: Task, fail_task: Task) -> None:
    """Some work done, some failed for good, some waiting; one queue is paused."""
    roster.rename(other_tenant, HOSTILE)
    with tenant(acme):
        for n in range(30):
            add_task.enqueue(number=n)
        for n in range(4):
            fail_task.enqueue(number=n)
        run_jobs()
        for n in range(12):
            add_task.enqueue(number=n)
        add_task.using(run_after=timezone.now() + timedelta(hours=2)).enqueue(number=99)
    with tenant(other_tenant):
        add_task.enqueue(number=1)
    controls.pause(queue="reports", minutes=45, reason=HOSTILE)
    controls.limit(task="add", tenant=acme, running=2, rate_per_s=10, reason="their mail server is slow")
    TaskWorker.objects.create(
        id=9_005, host="web-1", pid=811, queue_name="email", status="running", slots=4, memory_bytes=48 * 2**20,
        children=[{"pid": 812, "memory_bytes": 50 * 2**20, "jobs": 77}],
    )  # fmt: skip


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_page_is_clean_and_shows_hostile_words_as_words(
    screen: Callable[..., Screen], busy: None, shots: Path, width: int, dark: bool
) -> None:
    ops = screen("ops", "", width=width, dark=dark)
    for name, path in {
        "overview": "", "queues": "queues/", "queue": "queues/maintenance/", "tenants": "tenants/", "tenant": "tenants/7/",
        "workers": "workers/", "worker": "workers/9005/", "audit": "audit/",
    }.items():  # fmt: skip
        ops.go(path)
        if name in ("overview", "queue"):
            ops.page.locator(".chart canvas").first.wait_for()
        ops.shoot(shots, f"{name}-{width}{'-dark' if dark else ''}")
        ops.check_accessible()
        ops.check_fits()


def test_the_first_page_says_what_is_wrong_and_one_button_mends_it(screen, busy: None) -> None:
    ops = screen("ops")
    pause = ops.page.locator(".trouble", has_text="Queue reports is paused by")

    pause.get_by_role("link", name="Resume").click()
    dialog = ops.page.get_by_role("dialog")
    dialog.get_by_role("heading", name="Resume queue reports?").wait_for()
    ops.check_accessible()
    dialog.get_by_label("Reason").fill("the disk has room again")
    dialog.get_by_role("button", name="Resume").click()

    ops.page.get_by_text("Queue reports goes on.").wait_for()
    assert pause.count() == 0
    assert not QueueControl.objects.shut().exists()
    assert TaskAuditLog.objects.get(act="resume").reason == "the disk has room again"


def test_a_queue_is_paused_for_a_while_with_a_reason_that_must_be_given(screen, busy: None) -> None:
    ops = screen("ops", "queues/")
    ops.page.get_by_role("row", name="email").get_by_role("link", name="Pause").click()
    dialog = ops.page.get_by_role("dialog")
    dialog.get_by_label("For how many minutes").fill("15")
    dialog.get_by_role("button", name="Pause").click()
    assert not QueueControl.objects.filter(queue_name="email").exists(), "without a reason"

    dialog.get_by_label("Reason").fill("the mail server is down")
    dialog.get_by_role("button", name="Pause").click()

    ops.page.get_by_text("Queue email is paused until").wait_for()
    assert QueueControl.objects.get(queue_name="email").reason == "the mail server is down"


def test_a_limit_is_set_and_read_back(screen, busy: None) -> None:
    ops = screen("ops", "queues/maintenance/")
    ops.page.get_by_role("link", name="Limit").click()
    dialog = ops.page.get_by_role("dialog")
    dialog.get_by_label("At most so many run at once").fill("3")
    dialog.get_by_label("At most so many start").fill("600")
    dialog.get_by_role("button", name="Set the limit").click()

    ops.page.get_by_text("Queue maintenance: at most 3 run at once, 10 a second start.").wait_for()
    made = QueueControl.objects.get(queue_name="maintenance", task_name="")
    assert (made.max_running, made.rate_per_s) == (3, 10.0)


def test_a_tenant_is_added_changed_staffed_and_stopped(screen, person, busy: None) -> None:
    person("nobody")
    ops = screen("superuser", "tenants/")

    def act(button: str, confirm: str, **fields: str) -> None:
        ops.page.get_by_role("link", name=button).click()
        dialog = ops.page.get_by_role("dialog")
        for label, value in fields.items():
            field = dialog.get_by_label(label, exact=True)
            field.select_option(value) if label == "Role" else field.fill(value)
        dialog.get_by_role("button", name=confirm).click()
        ops.page.locator(".flash.is-success").wait_for()

    act("Add a tenant", "Add a tenant", Id="12", Name="Zwölf")
    act("Change", "Change the tenant", Weight="3", Zone="Europe/Berlin")
    act("Give somebody a role", "Give the role", Username="nobody", Role="viewer")
    assert TenantMembership.objects.get(tenant_id=12).role == "viewer"
    act("Take away", "Take the role away", **{"Reason": "left"})
    act("Deactivate", "Deactivate the tenant", **{"Reason": "contract ended"})

    found = ops.page.get_by_text("inactive")
    found.first.wait_for()
    said = set(TaskAuditLog.objects.filter(tenant_id=12).values_list("act", flat=True))
    assert {"add tenant", "weigh tenant", "set zone", "grant role", "revoke role", "deactivate tenant"} <= said


def test_a_tenants_people_see_no_infrastructure_and_nobody_else(screen, busy: None) -> None:
    viewer = screen("viewer")
    assert viewer.page.locator(".tabs").inner_text().split() == [
        word for word in viewer.page.locator(".tabs").inner_text().split() if word not in ("Workers", "Tenants")
    ]
    assert viewer.page.get_by_role("link", name="Resume").count() == 0, "a viewer may not"
    for path in (
        "workers/",
        "tenants/",
        "tenants/7/",
        "workers/9005/",
        "?tenant=8",
        "queues/?tenant=8",
        "audit/?tenant=8",
    ):
        viewer.go(path)
        viewer.page.get_by_role("heading", name="Not allowed").wait_for()
    viewer.go("audit/")
    assert "8" not in viewer.page.locator("table").inner_text().split()
