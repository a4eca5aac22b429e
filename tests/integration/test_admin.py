"""The admin's pages: there to look at, without arguments and without a way to edit a job; limits change as by their verbs."""

from __future__ import annotations

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import User
from django.test import Client

from youtility_tasks import controls, registry, tenant
from youtility_tasks.admin import queue
from youtility_tasks.models import QueueControl, TaskAuditLog, TaskExecutionHistory, Tenant
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ann"))
    return client


@pytest.fixture
def acme() -> Tenant:
    return Tenant.objects.create(pk=7, name="Acme")


def test_every_list_and_the_pages_behind_it_open_and_show_no_arguments(staff, acme):
    with tenant(acme.pk):
        waiting = registry.get("send_ticket_email").enqueue(id=987654321)
    registry.get("task_every_min").enqueue()
    assert run_jobs("maintenance") == 1
    ended = TaskExecutionHistory.objects.get()

    controls.pause(queue="email", reason="moving house")

    for model in (
        "job", "taskexecutionhistory", "taskworker", "taskeffect", "tenant", "queuecontrol", "taskauditlog",
        "scheduledtask", "scheduledtaskexecution", "scheduleholiday",
    ):  # fmt: skip
        assert staff.get(f"/admin/youtility_tasks/{model}/").status_code == 200
    job_page = staff.get(f"/admin/youtility_tasks/job/{waiting.id}/change/")
    history_page = staff.get(f"/admin/youtility_tasks/taskexecutionhistory/{ended.pk}/change/")

    assert "send_ticket_email" in job_page.content.decode()
    assert "987654321" not in job_page.content.decode()
    assert "task_every_min" in history_page.content.decode()


@pytest.mark.parametrize("model", ["job", "taskexecutionhistory", "taskworker", "taskeffect", "taskauditlog"])
def test_nothing_of_the_queue_can_be_added_by_hand(staff, model):
    assert staff.get(f"/admin/youtility_tasks/{model}/add/").status_code == 403


def test_a_tenant_can_be_added_and_switched_off_but_not_deleted(staff, acme):
    because = {"because": "they asked"}
    page = "/admin/youtility_tasks/tenant/add/"
    staff.post(page, {"id": 8, "name": "Other", "weight": 1, "is_active": "on", **because})
    staff.post(f"/admin/youtility_tasks/tenant/{acme.pk}/change/", {"name": "Acme", "weight": 1, **because})

    assert Tenant.objects.get(pk=8).is_active
    assert not Tenant.objects.get(pk=7).is_active
    assert entered() == [
        ("ann", "add tenant", "tenant 8", "they asked"),
        ("ann", "deactivate tenant", "tenant 7", "they asked"),
    ]
    assert staff.post(f"/admin/youtility_tasks/tenant/{acme.pk}/delete/", {"post": "yes"}).status_code == 403


# -- limits and pauses

ADD = "/admin/youtility_tasks/queuecontrol/add/"
EMPTY = {
    "queue_name": "", "task_name": "", "tenant_id": "", "max_running": "", "rate_per_s": "", "burst": "1.0",
    "paused_until_0": "", "paused_until_1": "", "because": "",
}  # fmt: skip


def entered() -> list[tuple[str, str, str, str]]:
    return list(TaskAuditLog.objects.order_by("pk").values_list("actor", "act", "target", "reason"))


def page_of(control: QueueControl) -> str:
    return f"/admin/youtility_tasks/queuecontrol/{control.pk}/change/"


def errors_of(answer) -> str:
    return " ".join(map(str, answer.context["messages"]))


def test_a_limit_that_is_set_in_the_admin_is_entered_with_its_author_and_reason(staff, acme):
    staff.post(ADD, {**EMPTY, "queue_name": "reports", "tenant_id": 7, "max_running": 2, "because": "they are slow"})

    control = QueueControl.objects.get()
    assert (control.queue_name, control.tenant_id, control.max_running, control.changed_by) == ("reports", 7, 2, "ann")
    assert entered() == [("ann", "limit", "tenant 7 in queue reports", "they are slow")]

    staff.post(page_of(control), {**EMPTY, "max_running": "", "rate_per_s": 0.5, "burst": 3, "because": "rather so"})

    control.refresh_from_db()
    assert (control.max_running, control.rate_per_s, control.burst, control.tokens) == (None, 0.5, 3, 3)
    assert entered()[1:] == [("ann", "limit", "tenant 7 in queue reports", "rather so")]


def test_a_pause_and_its_end(staff):
    staff.post(ADD, {**EMPTY, "queue_name": "email", "is_paused": "on", "because": "the server moves"})
    control = QueueControl.objects.get()
    assert (control.is_paused, control.paused_by, control.reason) == (True, "ann", "the server moves")

    staff.post(page_of(control), {**EMPTY, "because": "it has moved"})

    control.refresh_from_db()
    assert (control.is_paused, control.reason) == (False, "")
    assert [(act, why) for _, act, _, why in entered()] == [("pause", "the server moves"), ("resume", "it has moved")]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"queue_name": "emial", "is_paused": "on"}, "Did you mean 'email'?"),
        ({"queue_name": "email"}, "Nothing is limited"),
        ({"max_running": 3}, "Nothing is named"),
        ({"queue_name": "email", "max_running": 0}, "To let none run, pause them"),
        ({"queue_name": "email", "max_running": 3, "is_paused": "on", "paused_until_0": "2001-01-01", "paused_until_1": "00:00"},
         "right is an instant after now"),
    ],
)  # fmt: skip
def test_what_the_verbs_refuse_is_refused_in_their_words_and_nothing_is_changed(staff, given, told):
    answer = staff.post(ADD, {**EMPTY, "because": "so", **given}, follow=True)

    assert told in errors_of(answer), answer.context["adminform"].form.errors
    assert not QueueControl.objects.exists() and entered() == []


def test_without_a_reason_nothing_is_changed(staff):
    answer = staff.post(ADD, {**EMPTY, "queue_name": "email", "is_paused": "on"})

    assert "because" in answer.context["adminform"].form.errors
    assert not QueueControl.objects.exists()


def test_a_control_cannot_be_deleted_nor_moved_to_other_jobs(staff, acme):
    controls.limit(queue="email", running=2)
    control = QueueControl.objects.get()

    assert staff.post(f"/admin/youtility_tasks/queuecontrol/{control.pk}/delete/", {"post": "yes"}).status_code == 403
    staff.post(page_of(control), {**EMPTY, "queue_name": "reports", "max_running": 3, "because": "more"})

    control.refresh_from_db()
    assert (control.queue_name, control.max_running) == ("email", 3)


def test_inside_a_tenant_what_is_set_for_all_is_only_looked_at(staff, acme, rf):
    controls.limit(queue="email", running=2)
    shared = QueueControl.objects.get()
    request = rf.get("/")
    request.user = User.objects.get()
    page = queue.QueueControlAdmin(QueueControl, django_admin.site)

    assert page.has_change_permission(request, shared)
    with tenant(7):
        assert not page.has_change_permission(request, shared)
        assert page.has_change_permission(request, QueueControl(queue_name="email", tenant_id=7))


def test_a_form_that_saves_the_row_itself_is_caught(staff, monkeypatch):
    """What the audit row hangs on: the same post without the house's calls leaves no trace of who and why."""
    for page in (queue.QueueControlAdmin, queue.TenantAdmin):
        monkeypatch.setattr(page, "save_model", lambda self, request, row, form, change: row.save())
    with pytest.raises(AssertionError):
        test_a_pause_and_its_end(staff)
    with pytest.raises(AssertionError):
        test_a_tenant_can_be_added_and_switched_off_but_not_deleted(staff, Tenant.objects.create(pk=7, name="Acme"))
