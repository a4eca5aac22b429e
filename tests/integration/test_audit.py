"""Who did what: one row an act, in its transaction, that nothing changes afterwards."""

from __future__ import annotations

import getpass
import socket

import pytest
from django.db import DatabaseError, transaction

from tests.integration.desk import Desk, execute
from tests.integration.mutants import must_catch
from youtility_tasks import Task, acts, audit, controls, queues, roster, tenant
from youtility_tasks.enqueue import enqueue_many
from youtility_tasks.errors import Refused
from youtility_tasks.models import TaskAuditLog


def told() -> list[tuple[str, str, int | None, str]]:
    return list(TaskAuditLog.objects.order_by("id").values_list("act", "target", "tenant_id", "reason"))


def test_a_row_can_be_added_and_neither_changed_nor_deleted(db: None) -> None:
    def check() -> None:
        audit.write("pause", "queue email", reason="why not")
        for statement in (
            "UPDATE youtility_tasks_taskauditlog SET actor = 'nobody'",
            "DELETE FROM youtility_tasks_taskauditlog",
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                execute(statement)
        assert told() == [("pause", "queue email", None, "why not")]

    must_catch(check, "youtility_tasks_keep_audit_v1", "RAISE EXCEPTION", "RAISE NOTICE")


def test_the_actor_is_who_is_named_else_the_owner_of_the_process(db: None) -> None:
    audit.write("a", "x")
    with audit.acting("ada@example.com"):
        audit.write("b", "x")
        with audit.acting("x" * 500 + "\0"):
            audit.write("c", "x" * 5_000, reason="r" * 5_000)

    first, second, third = TaskAuditLog.objects.order_by("id")
    assert first.actor == f"{getpass.getuser()}@{socket.gethostname()}"
    assert second.actor == "ada@example.com"
    assert (len(third.actor), len(third.target), len(third.reason)) == (199, 299, 1999)


def test_limits_and_pauses_say_what_was_and_what_is(db: None, acme: int) -> None:
    controls.limit(tenant=acme, running=5, reason="they asked")
    controls.limit(tenant=acme, running=6)
    controls.pause(tenant=acme, reason="they did not pay")
    controls.resume(tenant=acme, reason="they paid")
    controls.limit(tenant=acme, running=None)

    assert told() == [
        ("limit", "tenant 7", acme, "they asked"),
        ("limit", "tenant 7", acme, ""),
        ("pause", "tenant 7", acme, "they did not pay"),
        ("resume", "tenant 7", acme, "they paid"),
        ("limit", "tenant 7", acme, ""),
    ]
    first, second, third, fourth, fifth = TaskAuditLog.objects.order_by("id")
    assert first.before is None and first.after["max_running"] == 5
    assert (second.before["max_running"], second.after["max_running"]) == (5, 6)
    assert (third.before["is_paused"], third.after["is_paused"], third.after["reason"]) == (
        False,
        True,
        "they did not pay",
    )
    assert fourth.before == third.after
    assert fifth.after["max_running"] is None


def test_acts_on_jobs_are_entered_by_tenant_with_their_jobs(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    with tenant(acme):
        mine = [int(each.id) for each in enqueue_many(add_task, ({"number": n} for n in range(3)))]
    with tenant(other_tenant):
        theirs = int(add_task.enqueue().id)

    acts.cancel_many([*mine[:2], theirs], "not wanted")
    held = desk.take()
    acts.cancel(held.id, "runs too long")

    assert told() == [
        ("cancel", f"job {mine[0]} (add) and 1 more", acme, "not wanted"),
        ("cancel", f"job {theirs} (add)", other_tenant, "not wanted"),
        ("cancel", f"job {held.id} (add)", acme, "runs too long"),
    ]
    assert [each.after for each in TaskAuditLog.objects.order_by("id")] == [
        {"status": "cancelled", "jobs": mine[:2]},
        {"status": "cancelled", "jobs": [theirs]},
        {"status": "aborting", "jobs": [held.id]},
    ]


def test_a_refused_act_leaves_no_row(desk: Desk, single_task: Task, sweep_task: Task) -> None:
    """Neither one that the status forbids nor one that a unique key stops half-way."""
    job_id = int(sweep_task.enqueue().id)
    with pytest.raises(Refused):
        acts.retry(job_id)
    keyed = int(sweep_task.using(unique="k").enqueue().id)
    held = {each.id: each for each in desk.claim(10)}
    desk.finish(held[keyed], "failed")
    sweep_task.using(unique="k").enqueue()
    with pytest.raises(Refused):
        acts.retry(keyed)

    assert told() == []


def test_retry_and_discard_are_entered(desk: Desk, sweep_task: Task) -> None:
    first, second = (int(each.id) for each in enqueue_many(sweep_task, ({} for _ in range(2))))
    for each in desk.claim(10):
        desk.finish(each, "failed")

    acts.retry(first)
    acts.discard(second, "hopeless")

    assert told() == [
        ("retry", f"job {first} (sweep)", 0, ""),
        ("discard", f"job {second} (sweep)", 0, "hopeless"),
    ]


def test_tenants_are_entered(db: None) -> None:
    roster.add(9, "Nine", weight=2)
    roster.deactivate(9)
    roster.add(9, "Neun")
    for refused in (lambda: roster.add(9, "Again"), lambda: roster.deactivate(10)):
        with pytest.raises(Refused):
            refused()

    assert [(each.act, each.before, each.after) for each in TaskAuditLog.objects.order_by("id")] == [
        ("add tenant", None, {"name": "Nine", "weight": 2, "is_active": True}),
        (
            "deactivate tenant",
            {"name": "Nine", "weight": 2, "is_active": True},
            {"name": "Nine", "weight": 2, "is_active": False},
        ),
        (
            "add tenant",
            {"name": "Nine", "weight": 2, "is_active": False},
            {"name": "Neun", "weight": 1, "is_active": True},
        ),
    ]


def test_a_tenant_sees_its_own_acts(db: None, acme: int, other_tenant: int) -> None:
    controls.pause(tenant=acme)
    controls.pause(tenant=other_tenant)
    controls.pause(queue=queues.EMAIL)

    assert [each.target for each in TaskAuditLog.objects.for_tenant(acme)] == ["tenant 7"]
    assert len(TaskAuditLog.objects.for_tenant(None).of_act("pause")) == 3
