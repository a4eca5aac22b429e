"""Every list and page of the admin: there, cheap however much there is, and acting only as its buttons say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from youtility_tasks import Workflow, registry, roster, schedules, tenant
from youtility_tasks.admin import doors
from youtility_tasks.models import Job, TaskAuditLog, TaskExecutionHistory, TaskWorker
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db

MODELS = [each._meta.model_name for each in apps.get_app_config("youtility_tasks").get_models()]
BASE = "/admin/youtility_tasks"


@pytest.fixture
def ann(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ann"))
    return client


def shatters() -> None:
    raise ValueError("<script>alert(1)</script>")


def a_day(n: int) -> None:
    """So many of everything, of two tenants."""
    for tenant_id in (7, 8):
        with tenant(tenant_id):
            for number in range(n):
                registry.get("send_ticket_email").enqueue(id=number)
                schedules.create(f"nightly {number}", "send_ticket_email", args={"id": 1}, cron="0 2 * * *")
                flow = Workflow("two steps")
                first = flow.step(registry.get("send_ticket_email"), id=1)
                flow.step(registry.get("send_ticket_email"), id=2, name="second", after=first)
                flow.start()
    base = TaskWorker.objects.count()
    for number in range(n):
        TaskWorker.objects.create(
            id=base + number + 1, host="north", pid=1, token="t", queue_name="email", status="running"
        )


@pytest.fixture
def day() -> Callable[[int], None]:
    roster.add(7, "Acme"), roster.add(8, "Beta")
    return a_day


def test_every_model_of_the_house_is_registered() -> None:
    registered = {each._meta.model_name for each in admin.site._registry}

    assert set(MODELS) <= registered


def cost(ann: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        answer = ann.get(path)
    assert answer.status_code == 200, path
    wide = [each["sql"] for each in asked if _asks_for_values(each["sql"]) or _counts_all(each["sql"])]
    assert not wide, f"{path} reads a whole table: {wide}"
    return len(asked)


def _asks_for_values(sql: str) -> bool:
    is_small = any(table in sql for table in ("queuecontrol", "taskworker", "scheduleholiday"))
    return "DISTINCT" in sql and not is_small


def _counts_all(sql: str) -> bool:
    is_big = any(table in sql for table in ('"procrastinate_jobs"', '"youtility_tasks_history"'))
    return is_big and "COUNT(*)" in sql and "LIMIT" not in sql


def test_a_list_asks_as_much_for_many_rows_as_for_few(ann: Client, day: Callable[[int], None]) -> None:
    day(1)
    few = {model: cost(ann, f"{BASE}/{model}/") for model in MODELS}
    day_two = {model: cost(ann, f"{BASE}/{model}/") for model in MODELS}
    assert day_two == few
    with tenant(7):
        for number in range(20):
            registry.get("send_ticket_email").enqueue(id=number)
            flow = Workflow("two steps")
            flow.step(registry.get("send_ticket_email"), id=1)
            flow.start()

    assert {model: cost(ann, f"{BASE}/{model}/") for model in MODELS} == few


def test_a_list_that_counts_everything_would_be_noticed(
    ann: Client, day: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    day(1)
    monkeypatch.setattr(doors.OfTenant, "paginator", doors.Paginator)

    with pytest.raises(AssertionError, match="whole table"):
        cost(ann, f"{BASE}/job/")


def test_a_filter_that_asks_the_table_for_its_values_would_be_noticed(
    ann: Client, day: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    day(1)
    monkeypatch.setattr(admin.site._registry[Job], "list_filter", ["status"])

    with pytest.raises(AssertionError, match="whole table"):
        cost(ann, f"{BASE}/job/")


def test_more_rows_than_are_counted_are_shown_by_pages_up_to_there(
    ann: Client, day: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "MOST_COUNTED", 3)
    day(4)

    page = ann.get(f"{BASE}/job/")

    assert page.context["cl"].result_count == 3 and page.status_code == 200


def test_every_row_has_its_page(ann: Client, day: Callable[[int], None]) -> None:
    day(1)
    for model in (each for each in admin.site._registry if each._meta.app_label == "youtility_tasks"):
        row = model._default_manager.first()
        if row is not None:
            assert ann.get(f"{BASE}/{model._meta.model_name}/{row.pk}/change/").status_code == 200, model


def found(ann: Client, what: str) -> set[int]:
    return {row.pk for row in ann.get(f"{BASE}/job/{what}").context["cl"].result_list}


def test_jobs_are_found_by_number_task_and_status(ann: Client, day: Callable[[int], None]) -> None:
    day(1)
    one = Job.objects.order_by("pk").first()
    everything = set(Job.objects.values_list("pk", flat=True))

    assert found(ann, f"?q={one.pk}") == {one.pk}
    assert found(ann, "?q=send_ticket_email") == everything
    assert found(ann, "?q=send_ticket") == found(ann, "?q=99999999999999999999") == set()
    assert found(ann, "?q=%00x") == everything  # Django asks for another word
    assert found(ann, "?status=todo") == everything and found(ann, "?status=doing") == set()
    assert found(ann, "?status=nonsense") == everything


# -- acts


def act(who: Client, model: str, action: str, pk: int, because: str = "") -> str:
    answer = who.post(f"{BASE}/{model}/", {"action": action, "_selected_action": [pk], "because": because}, follow=True)
    return " ".join(map(str, answer.context["messages"]))


def test_a_job_is_cancelled_with_a_reason_and_not_without(ann: Client, day: Callable[[int], None]) -> None:
    day(1)
    job = Job.objects.order_by("pk").first().pk

    assert "Give a reason" in act(ann, "job", "cancel", job, "  ")
    assert Job.objects.filter(pk=job, status="todo").exists()
    assert "1 were cancelled" in act(ann, "job", "cancel", job, "twice")

    assert not Job.objects.filter(pk=job).exists()
    entered = TaskAuditLog.objects.filter(act="cancel").values_list("actor", "reason")
    assert list(entered) == [("ann", "twice")]


def test_workers_are_told_with_a_reason(ann: Client, day: Callable[[int], None]) -> None:
    day(1)
    for action, told in (("quiet", "quiet"), ("resume", ""), ("drain", "drain")):
        assert "Give a reason" in act(ann, "taskworker", action, 1)
        assert "worker 1" in act(ann, "taskworker", action, 1, "deploy")
        assert TaskWorker.objects.get().told == told
    assert "cannot be taken back" in act(ann, "taskworker", "resume", 1, "no")


def test_who_may_only_look_finds_no_act(client: Client, day: Callable[[int], None]) -> None:
    day(1)
    eve = User.objects.create_user("eve", is_staff=True)
    may: Any = Permission.objects.filter(
        content_type__app_label="youtility_tasks", codename__in=["view_job", "view_taskworker", "ops"]
    )
    eve.user_permissions.set(may)
    client.force_login(eve)
    job = Job.objects.order_by("pk").first().pk

    assert "No action" in act(client, "job", "cancel", job, "x") or Job.objects.filter(pk=job, status="todo").exists()
    act(client, "taskworker", "drain", 1, "x")

    assert TaskWorker.objects.get().told == "" and not TaskAuditLog.objects.filter(act="cancel").exists()
    page = client.get(f"{BASE}/job/").content.decode()
    assert "new attempts" not in page


def test_an_attempt_shows_its_error_as_text(ann: Client, day: Callable[[int], None]) -> None:
    declared = registry.task(shatters, queue_name="email", tenant="all")
    try:
        declared.enqueue()
        run_jobs("email")
    finally:
        registry.forget("shatters")
    row = TaskExecutionHistory.objects.filter(task_name="shatters").first()
    page = ann.get(f"{BASE}/taskexecutionhistory/{row.pk}/change/").content.decode()

    assert "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page
