"""The admin's pages: there to look at, without arguments and without a way to edit a job."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from youtility_tasks import registry, tenant
from youtility_tasks.models import TaskExecutionHistory, Tenant
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

    for model in ("job", "taskexecutionhistory", "taskworker", "taskeffect", "tenant"):
        assert staff.get(f"/admin/youtility_tasks/{model}/").status_code == 200
    job_page = staff.get(f"/admin/youtility_tasks/job/{waiting.id}/change/")
    history_page = staff.get(f"/admin/youtility_tasks/taskexecutionhistory/{ended.pk}/change/")

    assert "send_ticket_email" in job_page.content.decode()
    assert "987654321" not in job_page.content.decode()
    assert "task_every_min" in history_page.content.decode()


@pytest.mark.parametrize("model", ["job", "taskexecutionhistory", "taskworker", "taskeffect"])
def test_nothing_of_the_queue_can_be_added_by_hand(staff, model):
    assert staff.get(f"/admin/youtility_tasks/{model}/add/").status_code == 403


def test_a_tenant_can_be_added_and_switched_off_but_not_deleted(staff, acme):
    staff.post("/admin/youtility_tasks/tenant/add/", {"id": 8, "name": "Other", "weight": 1, "is_active": "on"})
    staff.post(f"/admin/youtility_tasks/tenant/{acme.pk}/change/", {"name": "Acme", "weight": 1})

    assert Tenant.objects.get(pk=8).is_active
    assert not Tenant.objects.get(pk=7).is_active
    assert staff.post(f"/admin/youtility_tasks/tenant/{acme.pk}/delete/", {"post": "yes"}).status_code == 403
