"""Schedules in the admin: the same calls as elsewhere, with the person's name and reason in the log."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from youtility_tasks import schedules, tenant
from youtility_tasks.models import Job, ScheduledTask, ScheduleHoliday, TaskAuditLog

pytestmark = pytest.mark.django_db

HOME = "/admin/youtility_tasks/scheduledtask/"
FORM = {
    "name": "it", "tenant_id": "0", "task_name": "task_every_min", "args": "{}", "tick_argument": "", "queue_name": "", "priority": "",
    "kind": "cron", "cron": "0 2 * * *", "every_s": "", "at_0": "", "at_1": "", "zone": "", "days": "every_day",
    "working_weekdays": "12345", "site_id": "", "quiet_from": "", "quiet_to": "", "jitter_s": "0", "missed": "latest", "missed_most": "1",
    "grace_s": "60", "overlap": "allow", "paused_until_0": "", "paused_until_1": "", "because": "a reason",
}  # fmt: skip


@pytest.fixture
def ann(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ann"))
    return client


def entered() -> list[tuple[str, str, str]]:
    return list(TaskAuditLog.objects.order_by("pk").values_list("actor", "act", "reason"))


def post(ann: Client, where: str, **said: Any) -> str:
    answer = ann.post(where, {**FORM, **said}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_schedule_is_made_changed_paused_and_resumed(ann: Client, acme: int) -> None:
    post(ann, f"{HOME}add/", task_name="send_ticket_email", tenant_id="7", args='{"id": 3}', zone="Asia/Kolkata")
    row = ScheduledTask.objects.get()
    assert (row.tenant_id, row.args, row.next_at is not None) == (7, {"id": 3}, True)
    same = {"task_name": "send_ticket_email", "tenant_id": "7", "args": '{"id": 3}', "zone": "Asia/Kolkata"}

    page = f"{HOME}{row.pk}/change/"
    post(ann, page, **same, kind="interval", cron="", every_s="90", quiet_from="22:00", quiet_to="06:00")
    row.refresh_from_db()
    assert (row.kind, row.every_s, row.version, str(row.quiet_from)) == ("interval", 90, 2, "22:00:00")

    at = {"at_0": f"{row.at:%Y-%m-%d}", "at_1": f"{row.at:%H:%M:%S}"}
    same |= {"kind": "interval", "cron": "", "every_s": "90", "quiet_from": "22:00", "quiet_to": "06:00", **at}
    post(ann, page, **same, is_paused="on")
    row.refresh_from_db()
    assert row.is_paused and row.version == 2
    post(ann, page, **same)
    row.refresh_from_db()
    assert not row.is_paused
    assert entered() == [("ann", f"{act} schedule", "a reason") for act in ("create", "change", "pause", "resume")]


def test_what_cannot_be_meant_is_told_and_changes_nothing(ann: Client) -> None:
    assert "five fields" in post(ann, f"{HOME}add/", cron="61 * * * *")
    assert "No zone is called" in post(ann, f"{HOME}add/", zone="Nowhere")
    assert "would make no job" in post(ann, f"{HOME}add/", args='{"nonsense": 1}')
    assert not ScheduledTask.objects.exists() and entered() == []


def test_run_now_and_remove_are_actions_and_nothing_is_deleted(ann: Client) -> None:
    row = schedules.create("it", "task_every_min", cron="0 2 * * *")
    ann.post(HOME, {"action": "run_now", "_selected_action": [row.pk]})
    assert Job.objects.get().task_name == "task_every_min"
    assert ann.post(f"{HOME}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    ann.post(HOME, {"action": "remove", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.removed_at is not None and row.next_at is None
    assert [act for _, act, _ in entered()][-2:] == ["run schedule", "remove schedule"]


def test_holidays(ann: Client, acme: int) -> None:
    with tenant(acme):
        schedules.create("it", "send_ticket_email", args={"id": 1}, cron="0 18 * * *", days="last_working_day")
        # Of the month after: of this one the working day before it may be over.
        first, last = (each.tick.date() for each in schedules.preview("it", 2))
    ann.post(
        "/admin/youtility_tasks/scheduleholiday/add/", {"tenant_id": 7, "site_id": "", "day": str(last), "name": "off"}
    )
    row = ScheduleHoliday.objects.get()
    with tenant(acme):
        assert first < schedules.preview("it", 2)[1].tick.date() < last
    ann.post(f"/admin/youtility_tasks/scheduleholiday/{row.pk}/delete/", {"post": "yes"})
    assert not ScheduleHoliday.objects.exists()
    assert [act for _, act, _ in entered()][-2:] == ["add holiday", "remove holiday"]
