"""What becomes of a tenant's work when it leaves."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tests.integration.desk import Desk, execute, job, statuses
from tests.integration.mutants import must_catch
from youtility_tasks import Task, acts, roster, suspension, tenant
from youtility_tasks.errors import Refused, UnknownTenant
from youtility_tasks.models import QueueControl, TaskExecutionHistory
from youtility_tasks.upkeep import duties

CLAIM, LIMITED = "youtility_tasks_claim_v2", "youtility_tasks_claim_limited_v1"
LATER = dt.timedelta(hours=1)


def put(task: Task, tenant_id: int, **options: object) -> int:
    with tenant(tenant_id):
        return int(task.using(**options).enqueue().id)


def test_what_waits_is_cancelled_with_the_reason_and_what_runs_is_asked_to_end(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    running = put(add_task, acme)
    assert desk.take().id == running
    waiting = [
        put(add_task, acme),
        put(add_task, acme, run_after=timezone.now() + LATER),
        put(add_task, acme, lock="l"),
    ]
    stays = put(add_task, other_tenant)

    done = suspension.suspend(acme, "contract ended")

    assert (done.cancelled, done.aborting) == (3, 1)
    assert statuses() == {running: "doing", stays: "todo"}
    assert job(running).abort_requested
    history = TaskExecutionHistory.objects.filter(job_id__in=waiting)
    assert set(history.values_list("status", "error_message")) == {
        ("cancelled", f"Tenant {acme} was deactivated: contract ended")
    }


def test_a_running_job_of_it_does_not_come_back_as_a_retry(desk: Desk, add_task: Task, acme: int) -> None:
    put(add_task, acme)
    held = desk.take()
    suspension.suspend(acme)

    assert desk.finish(held, "retry")

    assert statuses() == {}
    assert TaskExecutionHistory.objects.get(job_id=held.id).status == "aborted"


def test_nothing_more_is_enqueued_for_it_until_it_returns(add_task: Task, acme: int) -> None:
    suspension.suspend(acme)
    with pytest.raises(UnknownTenant), tenant(acme):
        add_task.enqueue()

    roster.add(acme, "Acme again")

    assert put(add_task, acme)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("kind", ["ready", "due", "locked"])
def test_a_job_that_came_too_late_to_be_cancelled_is_not_claimed(
    desk: Desk, add_task: Task, sweep_task: Task, acme: int, kind: str, others: int
) -> None:
    """Its transaction was open while the tenant left."""

    def check() -> None:
        options = {"ready": {}, "due": {"run_after": timezone.now() - LATER}, "locked": {"lock": "l"}}[kind]
        late = put(add_task, acme, **options)
        left = [int(sweep_task.enqueue().id) for _ in range(others)]
        roster.deactivate(acme)

        assert [each.id for each in desk.claim(1)] == left
        assert [each.id for each in desk.claim(10)] == []
        assert duties.run_due()["stop jobs of tenants that left"] == 1
        assert late not in statuses()

    guards = {
        "ready": "WHERE NOT t.is_active AND t.id = ANY (tenants)",
        "due": "WHERE coalesce(w.is_active, true)",
        "locked": "WHERE coalesce(w.is_active, true)",
    }
    must_catch(check, CLAIM, guards[kind], "WHERE false AND t.id = ANY (tenants)" if kind == "ready" else "WHERE true")


def test_nor_is_it_claimed_from_a_queue_with_controls(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    def check() -> None:
        QueueControl.objects.create(queue_name=desk.queue_name, max_running=50)
        for _ in range(30):
            put(add_task, acme, priority=1)
        put(add_task, acme, run_after=timezone.now() - LATER)
        stays = put(add_task, other_tenant)
        roster.deactivate(acme)

        assert [each.id for each in desk.claim(2)] == [stays]

    must_catch(check, LIMITED, "WHERE NOT t.is_active", "WHERE false")
    must_catch(check, LIMITED, "WHERE coalesce(w.is_active, true)", "WHERE true")


def test_its_dead_letters_stay_and_cannot_be_retried_before_it_returns(desk: Desk, add_task: Task, acme: int) -> None:
    dead = put(add_task, acme)
    assert desk.finish(desk.take(), "failed")
    suspension.suspend(acme)

    with pytest.raises(Refused, match=rf"tenant {acme} is not active. `tenants add {acme} NAME` brings it back"):
        acts.retry(dead)

    assert statuses() == {dead: "failed"}
    roster.add(acme, "Acme")
    acts.retry(dead)
    assert statuses() == {dead: "todo"}


def test_upkeep_asks_for_no_jobs_of_tenants_that_left_long_ago(desk: Desk, add_task: Task, acme: int) -> None:
    def check() -> None:
        put(add_task, acme)
        roster.deactivate(acme)
        execute("UPDATE youtility_tasks_tenant SET deactivated_at = now() - interval '2 days'")

        assert suspension.stop_stragglers(timezone.now(), lambda: False) == (0, True)

    must_catch(check, "youtility_tasks_stop_stragglers_v1", "t.deactivated_at > p_now - interval '1 day'", "true")


def test_upkeep_asks_what_runs_for_a_tenant_that_left_to_end_and_says_why_the_rest_went(
    desk: Desk, add_task: Task, acme: int
) -> None:
    running, waiting = put(add_task, acme), put(add_task, acme)
    assert desk.claim(1)[0].id == running
    roster.deactivate(acme, "moved away")

    assert suspension.stop_stragglers(timezone.now(), lambda: False) == (2, True)
    assert suspension.stop_stragglers(timezone.now(), lambda: False) == (0, True)
    assert job(running).abort_requested
    assert (
        TaskExecutionHistory.objects.get(job_id=waiting).error_message == f"Tenant {acme} was deactivated: moved away"
    )
