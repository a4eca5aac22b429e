"""Dead letters in the admin: redriven by a form, gone on with and stopped; the same calls as elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.desk import Desk, job
from tests.integration.letters import dead
from youtility_tasks import Task
from youtility_tasks.models import Job, Redrive, TaskAuditLog

pytestmark = pytest.mark.django_db

HOME = "/admin/youtility_tasks/redrive/"


@pytest.fixture
def ann(client: Client) -> Client:
    """Who operates every tenant's jobs."""
    client.force_login(User.objects.create_superuser("ann"))
    return client


def post(ann: Client, where: str, **said: Any) -> str:
    answer = ann.post(where, {"edits": "", "because": "mended", **said}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_letters_are_redriven_by_the_form_and_the_redrive_is_shown(
    ann: Client, desk: Desk, add_task: Task, acme: int
) -> None:
    gone, locked = dead(desk, add_task, acme), dead(desk, add_task, acme, said="the door is locked")

    page = post(ann, f"{HOME}add/", fingerprint=job(gone[0]).fingerprint, rate_per_s="2.5")

    row = Redrive.objects.get()
    assert (row.rate_per_s, row.reason, row.started_by, row.done_count) == (2.5, "mended", "ann", 1)
    assert f"Redrive {row.pk}: 1 of 1 moved, 0 refused. It has ended." in page
    assert [job(each).status for each in (*gone, *locked)] == ["todo", "failed"]
    assert job(locked[0]).fingerprint in ann.get("/admin/youtility_tasks/job/").content.decode()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({}, "Which letters?"),
        ({"task_name": "add", "edits": "[1]"}, "Arguments go by name"),
        ({"task_name": "add", "edits": '{"number": 2}'}, "one task of one tenant"),
        ({"all_of_them": "on", "rate_per_s": "0"}, "A rate is from"),
        ({"all_of_them": "on", "because": ""}, "This field is required"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_begun(
    ann: Client, desk: Desk, add_task: Task, acme: int, said: dict[str, str], text: str
) -> None:
    dead(desk, add_task, acme)

    assert text in post(ann, f"{HOME}add/", **said)
    assert not Redrive.objects.exists()
    assert set(Job.objects.values_list("status", flat=True)) == {"failed"}


def test_an_unfinished_one_is_gone_on_with_or_stopped(ann: Client, desk: Desk, add_task: Task, acme: int) -> None:
    dead(desk, add_task, acme, n=2)
    goes_on, stops = (
        Redrive.objects.create(
            tenant_id=acme, key=key, started_by="x", total_count=2, failed_until=datetime(2999, 1, 1, tzinfo=UTC),
            task_name="add", edits={"number": 41}, edited=["number"],
        )
        for key in "ab"
    )  # fmt: skip
    shown = ann.get(f"{HOME}{stops.pk}/change/").content.decode()
    assert "number" in shown and "41}" not in shown, "the names, and not the values"

    post(ann, HOME, action="stop", _selected_action=str(stops.pk))
    post(ann, HOME, action="go_on", _selected_action=str(goes_on.pk))

    stops.refresh_from_db()
    goes_on.refresh_from_db()
    assert (stops.is_stopped, stops.done_count) == (True, 0)
    assert (goes_on.is_stopped, goes_on.done_count, goes_on.ended_at is not None) == (False, 2, True)
    assert [each.args for each in Job.objects.all()] == [{"number": 41}] * 2
    assert "stop redrive" in TaskAuditLog.objects.values_list("act", flat=True)
