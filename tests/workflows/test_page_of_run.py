"""The admin's page of a run: its steps, and the acts that are legal and allowed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.desk import rows
from youtility_tasks import Run, Task, Workflow, tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(acme: int, make_task: Task, mail_task: Task) -> Run:
    flow = Workflow("approval")
    made = flow.step(make_task)
    yes = flow.signal("approved", after=made)
    flow.step(mail_task, after=yes)
    with tenant(acme):
        return flow.start()


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin(db: None) -> Client:
    return browser(User.objects.create_superuser("ann", password="x"))


def post(client: Client, run: Run, **words: Any) -> str:
    answer = client.post(f"/admin/youtility_tasks/taskworkflow/{run.id}/act/", words, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_steps_and_what_may_be_done(admin: Client, run: Run) -> None:
    page = admin.get(f"/admin/youtility_tasks/taskworkflow/{run.id}/change/").content.decode()

    assert "success of approved" in page
    assert "Send approved" in page and "Cancel this workflow" in page and "Retry this workflow" not in page
    assert "approval" in admin.get("/admin/youtility_tasks/taskworkflow/").content.decode()


def test_signal_cancel_and_retry_are_done_by_whom_and_why(admin: Client, run: Run) -> None:
    assert "Signal &#x27;approved&#x27; was sent." in post(
        admin, run, act="signal", name="approved", payload='{"by": 1}'
    )
    assert "was sent already" in post(admin, run, act="signal", name="approved")
    assert "is no JSON" in post(admin, run, act="signal", name="approved", payload="{")
    page = post(admin, run, act="cancel", reason="flood")
    assert "3 steps will not begin" in page and "Retry this workflow" in page
    assert "3 steps begin anew." in post(admin, run, act="retry", mode="all", reason="dry again")
    assert "is sent a signal, cancelled or retried" in post(admin, run, act="burn")

    assert rows("SELECT actor, act, reason FROM youtility_tasks_taskauditlog ORDER BY id") == [
        ("ann", "signal workflow", ""), ("ann", "cancel workflow", "flood"), ("ann", "retry workflow", "dry again"),
    ]  # fmt: skip


def test_who_may_only_look_is_shown_no_act_and_may_do_none(run: Run) -> None:
    viewer = User.objects.create_user("bob", password="x", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_taskworkflow", "ops"]))
    client = browser(viewer)

    page = client.get(f"/admin/youtility_tasks/taskworkflow/{run.id}/change/").content.decode()
    answer = client.post(f"/admin/youtility_tasks/taskworkflow/{run.id}/act/", {"act": "cancel", "reason": "x"})

    assert "success of approved" in page and "Cancel this workflow" not in page
    assert answer.status_code == 403
    assert run.status == "running"
