"""Every endpoint as everybody: who gets past the door, and who changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from tests.api.speaking import ACME, Api
from youtility_tasks import Workflow, dead_letters, members, operations, schedules, tenant, visits
from youtility_tasks.api import urls
from youtility_tasks.api.endpoints import ENDPOINTS, Endpoint
from youtility_tasks.dead_letters import Letters
from youtility_tasks.models import (
    ApiToken,
    BridgeRoute,
    Job,
    QueueControl,
    Redrive,
    ScheduledTask,
    ScheduleHoliday,
    TaskWorker,
    TaskWorkflow,
    Tenant,
    TenantMembership,
)
from youtility_tasks.visits import For
from youtility_tasks.workflows import templates

assert urls.urlpatterns  # it fills the table

pytestmark = pytest.mark.django_db

PEOPLE = ("anonymous", "nobody", "viewer", "operator", "admin", "other_admin", "ops", "superuser")
SIGNED_IN = frozenset(PEOPLE) - {"anonymous"}
OPS = frozenset({"ops", "superuser"})
SEE, OPERATE, ADMINISTER = (
    frozenset(PEOPLE[PEOPLE.index(role) : PEOPLE.index("other_admin")]) for role in ("viewer", "operator", "admin")
)
MAY: dict[str, frozenset[str]] = {
    "get_schema": SIGNED_IN,
    **dict.fromkeys(
        ("list_tasks", "list_jobs", "get_job", "why_job", "list_queues", "list_limits", "list_schedules"), SEE | OPS
    ),
    **dict.fromkeys(("list_operations", "get_operation"), SEE | OPS),
    **dict.fromkeys(("preview_operation", "begin_operation", "stop_operation", "undo_operation"), OPERATE | OPS),
    **dict.fromkeys(("get_series", "get_summary"), SEE | OPS),
    **dict.fromkeys(("get_schedule", "list_workflows", "get_workflow", "list_tenants", "list_acts"), SEE | OPS),
    **dict.fromkeys(
        ("preview_schedule", "preview_new_schedule", "list_executions", "list_holidays", "list_templates"), SEE
    ),
    **dict.fromkeys(
        ("cancel_job", "retry_job", "discard_job", "cancel_jobs", "retry_jobs", "discard_jobs"), OPERATE | OPS
    ),
    **dict.fromkeys(("list_dead_letters", "list_letter_groups", "list_redrives", "get_redrive"), SEE | OPS),
    **dict.fromkeys(
        ("create_redrive", "preview_redrive", "resume_redrive", "stop_redrive", "discard_letters", "preview_discard"),
        OPERATE | OPS,
    ),
    **dict.fromkeys(("preview_cleanup", "examine_installation"), OPS),
    **dict.fromkeys(("pause_queue", "resume_queue", "pause", "resume"), OPERATE | OPS),
    **dict.fromkeys(("cancel_workflow", "retry_workflow"), OPERATE | OPS),
    **dict.fromkeys(("submit_job", "start_workflow", "signal_workflow"), OPERATE),
    **dict.fromkeys(("run_schedule", "pause_schedule", "resume_schedule"), OPERATE),
    "set_limit": ADMINISTER | OPS,
    **dict.fromkeys(
        ("create_schedule", "change_schedule", "remove_schedule", "add_holiday", "remove_holiday"), ADMINISTER
    ),
    **dict.fromkeys(("change_tenant", "list_members", "grant_role", "revoke_role"), ADMINISTER),
    **dict.fromkeys(("get_worker", "quiet_worker", "drain_worker", "resume_worker"), OPS),
    **dict.fromkeys(("get_move", "get_parity", "route_task", "roll_back_task"), OPS),
    **dict.fromkeys(("list_workers", "add_tenant", "weigh_tenant", "deactivate_tenant"), OPS),
}
"""Endpoint -> who gets past the door for Acme. Written down once more, so that a slip in the table of endpoints is seen."""

BODIES: dict[str, dict[str, Any]] = {
    "submit_job": {"task": "add"},
    "preview_operation": {"act": "cancel"},
    "begin_operation": {"act": "cancel"},
    "cancel_jobs": {"ids": [1]},
    "retry_jobs": {"ids": [1]},
    "discard_jobs": {"ids": [1]},
    "create_redrive": {"task": "add"},
    "preview_redrive": {"task": "add"},
    "discard_letters": {"task": "add", "reason": "of a test"},
    "preview_discard": {"task": "add"},
    "set_limit": {"queue": "email", "running": 2},
    "pause": {"queue": "email"},
    "resume": {"queue": "email"},
    "create_schedule": {"name": "new", "task": "add", "cron": "0 2 * * *"},
    "preview_new_schedule": {"task": "add", "cron": "0 2 * * *"},
    "change_schedule": {"cron": "0 3 * * *"},
    "add_holiday": {"day": "2027-01-26", "name": "Republic Day"},
    "start_workflow": {"template": "one step"},
    "signal_workflow": {"name": "go"},
    "add_tenant": {"id": 9, "name": "Nine"},
    "change_tenant": {"name": "Acme & Sons"},
    "weigh_tenant": {"weight": 3},
    "grant_role": {"user": "nobody", "role": "viewer"},
    "revoke_role": {"user": "viewer"},
    "route_task": {"side": "canary", "percent": 10},
}


@pytest.fixture
def target(person, add_task, enqueue) -> dict[str, Any]:
    """The parts of paths, of things that there are."""
    person("viewer"), person("nobody")
    job_id = enqueue(ACME, add_task)
    with tenant(ACME):
        schedule = schedules.create("nightly", "add", cron="0 2 * * *")
        schedules.pause("nightly")
        flow = Workflow("one step")
        flow.step(add_task)
        templates.save(flow)
        run = flow.start()
        operation = operations.begin("cancel")
        redrive = dead_letters.redrive(Letters(task_name="add"), rate_per_s=1)
    return {
        "job_id": job_id, "operation_id": operation.pk, "schedule_id": schedule.pk, "workflow_id": run.id, "queue": "email", "tenant_id": ACME, "redrive_id": redrive.pk,
        "day": "2027-08-15", "task": "add", "worker_id": TaskWorker.objects.create(id=14, host="north", pid=11, token="t", queue_name="email", status="running").pk,
    }  # fmt: skip


def everything() -> list[Any]:
    models = (
        Job,
        QueueControl,
        Redrive,
        ScheduledTask,
        ScheduleHoliday,
        TaskWorkflow,
        Tenant,
        TenantMembership,
        TaskWorker,
        BridgeRoute,
    )
    return [list(model.objects.order_by("pk").values()) for model in models] + [ApiToken.objects.count()]


def call(api: Api, endpoint: Endpoint, target: dict[str, Any]) -> int:
    path = endpoint.template.format(**target)
    is_scoped = endpoint.scope not in (For.ANYBODY, For.OPS)
    path += f"?tenant={ACME}" if is_scoped else ""
    if endpoint.method == "GET":
        return api.get(path).status
    return api.send(endpoint.method.lower(), path, BODIES.get(endpoint.name, {})).status


def check(who: str, endpoint: Endpoint, api: Api, target: dict[str, Any]) -> None:
    must_not = who not in MAY[endpoint.name] and endpoint.method != "GET"
    before = everything() if must_not else None
    with transaction.atomic():
        status = call(api, endpoint, target)
        assert status < 500
        if who == "anonymous":
            assert status == 401, endpoint.name
        elif who in MAY[endpoint.name]:
            assert status not in (401, 403), f"{who} may not {endpoint.name}: {status}"
        else:
            assert status == 403, f"{who} may {endpoint.name}: {status}"
            assert before is None or everything() == before, (
                f"{who} was refused {endpoint.name}, and something was done"
            )
        transaction.set_rollback(True)


def test_each_endpoint_is_in_the_table_of_who_may() -> None:
    assert {each.name for each in ENDPOINTS} == MAY.keys()


@pytest.mark.parametrize("who", PEOPLE)
def test_everybody_gets_where_their_role_reaches_and_no_further(
    who: str, api: Callable[..., Api], target: dict[str, Any]
) -> None:
    caller = api(who)
    for endpoint in ENDPOINTS:
        check(who, endpoint, caller, target)


def test_a_door_that_does_not_look_who_comes_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch, api: Callable[..., Api], target: dict[str, Any]
) -> None:
    """The guards taken away, one by one: the matrix turns red for each."""
    by_name = {each.name: each for each in ENDPOINTS}
    viewer, ops = api("viewer"), api("ops")

    monkeypatch.setattr("youtility_tasks.membership._ask", lambda *_: None)
    for name in ("cancel_job", "set_limit", "start_workflow", "list_members"):
        with pytest.raises(AssertionError):
            check("viewer", by_name[name], viewer, target)
    monkeypatch.undo()
    admit, anyone = visits.admit, by_name["list_jobs"].scope
    monkeypatch.setattr(visits, "admit", lambda user, chosen, wanted, scope: admit(user, chosen, wanted, anyone))
    with pytest.raises(AssertionError):
        check("ops", by_name["list_holidays"], ops, target)


@pytest.mark.parametrize(
    ("cap", "may"), [("viewer", SEE), ("operator", SEE | OPERATE), ("admin", SEE | OPERATE | ADMINISTER)]
)
def test_a_token_with_a_smaller_role_reaches_as_far_as_that(
    cap: str, may: frozenset[str], api: Callable[..., Api], target: dict[str, Any]
) -> None:
    caller = api("admin", role=cap)
    for endpoint in ENDPOINTS:
        check(cap, endpoint, caller, target)


def test_a_token_for_one_tenant_opens_no_other_and_is_no_operators(api, person, target) -> None:
    members.grant(8, "admin", "admin") if person("admin") else None
    both, acme_alone = api("admin"), api("admin", tenant_id=ACME)

    assert both.get("jobs/").status == 403 and both.get("jobs/", tenant=8).status == 200
    assert acme_alone.get("jobs/").status == 200 and acme_alone.get("jobs/", tenant=8).status == 403
    assert api("superuser", tenant_id=ACME).get("workers/").status == 403
