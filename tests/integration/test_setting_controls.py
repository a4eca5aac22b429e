"""Limits and pauses as people set them: what is refused, what is written, who is woken, and when a row goes away."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.integration.desk import Desk, execute, rows
from tests.integration.mutants import must_catch
from youtility_tasks import Task, audit, controls, queries, queues, tenant
from youtility_tasks.enqueue import enqueue_many
from youtility_tasks.errors import NothingToLift, UnknownTarget, WrongControl
from youtility_tasks.models import QueueControl, TaskAuditLog
from youtility_tasks.upkeep import controls as tidy
from youtility_tasks.upkeep import duties

NOW = timezone.now()


def renamed() -> None:
    return None


def put(task: Task, n: int = 1) -> list[int]:
    return [int(each.id) for each in enqueue_many(task, ({} for _ in range(n)))]


def parked() -> int:
    ((n,),) = rows("SELECT count(*) FROM procrastinate_jobs WHERE parked_by > 0 AND status = 'todo'")
    return int(n)


# -- setting, changing, lifting


def test_a_tenant_has_so_many_limits_and_no_more(acme: int, other_tenant: int) -> None:
    """A claim locks each of them in a table of the server's that all share."""
    full = "SELECT '', 'task ' || g, %s, 1, false, '', '', '' FROM generate_series(1, 200) g"
    columns = "queue_name, task_name, tenant_id, burst, is_paused, reason, changed_by, paused_by"
    execute(f"INSERT INTO youtility_tasks_queuecontrol ({columns}) {full}", acme)

    with (
        transaction.atomic(),
        pytest.raises(WrongControl, match=f"Tenant {acme} has 200 limits and pauses"),
        transaction.atomic(),
    ):
        controls.limit(queue="email", tenant=acme, running=1)
    assert controls.limit(queue="email", tenant=other_tenant, running=1).max_running == 1
    assert controls.limit(queue="email", running=1).max_running == 1, "nor do those for all tenants count"
    QueueControl.objects.filter(tenant_id=acme, task_name="task 1").delete()
    assert controls.limit(queue="email", tenant=acme, running=1).max_running == 1
    assert controls.limit(queue="email", tenant=acme, running=2).max_running == 2, "what is there is changed as ever"


def test_a_limit_is_set_changed_in_part_and_lifted(desk: Desk, sweep_task: Task) -> None:
    made = controls.limit(queue=queues.MAINTENANCE, task="sweep", running=2, rate_per_s=10, burst=4)
    assert (made.max_running, made.rate_per_s, made.burst, made.tokens, made.running_count) == (2, 10, 4, 4, 0)
    assert made.target == "task sweep in queue maintenance"

    put(sweep_task, 5)
    assert len(desk.claim(10)) == 2
    changed = controls.limit(queue=queues.MAINTENANCE, task="sweep", running=3)
    assert (changed.max_running, changed.rate_per_s, changed.running_count) == (3, 10, 2)
    assert changed.tokens is not None and 2 <= changed.tokens < 3
    assert changed.parked_count == 3

    assert controls.limit(queue=queues.MAINTENANCE, task="sweep", rate_per_s=None).burst == 1
    assert controls.limit(queue=queues.MAINTENANCE, task="sweep", running=None).is_idle
    assert len(desk.claim(10)) == 3


def test_what_is_set_for_one_is_not_what_is_set_for_another(db: None, acme: int, other_tenant: int) -> None:
    controls.limit(tenant=acme, running=1)
    controls.limit(queue=queues.EMAIL, tenant=acme, running=2)
    controls.pause(queue=queues.EMAIL)

    assert [(each.target, each.max_running, each.is_paused) for each in controls.listing()] == [
        ("tenant 7", 1, False),
        ("queue email", None, True),
        ("tenant 7 in queue email", 2, False),
    ]


def test_a_pause_says_since_when_by_whom_and_why_and_a_limit_beside_it_does_not_change_that(db: None) -> None:
    with audit.acting("ada"):
        controls.pause(queue=queues.REPORTS, reason="printer on fire")
    with audit.acting("bob"):
        made = controls.limit(queue=queues.REPORTS, running=1)

    assert (made.is_paused, made.paused_by, made.reason, made.changed_by) == (True, "ada", "printer on fire", "bob")
    assert made.paused_at is not None and made.paused_at <= made.changed_at
    assert controls.resume(queue=queues.REPORTS).max_running == 1


def test_a_pause_for_minutes_ends_by_itself_and_its_listing_says_so(desk: Desk, sweep_task: Task) -> None:
    (job_id,) = put(sweep_task)
    made = controls.pause(task="sweep", minutes=0.5)
    assert made.paused_until is not None and made.paused_at is not None
    assert made.paused_until - made.paused_at == pytest.approx(dt.timedelta(seconds=30), abs=dt.timedelta(seconds=1))
    assert desk.claim(5) == []

    QueueControl.objects.update(paused_until=timezone.now())

    assert [each.id for each in desk.claim(5)] == [job_id]
    assert [each.is_paused for each in controls.listing()] == [False]


def test_an_old_name_of_a_task_means_the_task(db: None, declare: Callable[..., Task]) -> None:
    declare(renamed, tenant="all", aliases=("former",))

    assert controls.limit(task="former", running=1).task_name == "renamed"


def test_inside_a_tenant_it_is_that_tenants_own(db: None, acme: int, other_tenant: int) -> None:
    controls.pause(queue=queues.EMAIL)
    controls.limit(queue=queues.EMAIL, running=3, tenant=other_tenant)
    controls.limit(queue=queues.REPORTS, running=3)
    with tenant(acme):
        assert controls.pause(queue=queues.EMAIL).tenant_id == acme
        # A pause of everybody's jobs keeps its back, too; others' limits, and those of all together, are not its own.
        assert [(each.queue_name, each.tenant_id) for each in controls.listing()] == [("email", None), ("email", acme)]
        with pytest.raises(WrongControl, match=r"Inside tenant 7 only its own jobs can be named; given: tenant 8\."):
            controls.pause(tenant=other_tenant)
        controls.resume(queue=queues.EMAIL)
    assert [each.tenant_id for each in controls.listing() if each.is_paused] == [None]


# -- refusals


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: controls.limit(queue="emial", running=1), UnknownTarget, "No queue is called 'emial'; known: email,"),
        (lambda: controls.limit(queue="emial", running=1), UnknownTarget, "Did you mean 'email'?"),
        (lambda: controls.pause(task="swep"), UnknownTarget, "No task is called 'swep'"),
        (lambda: controls.pause(task="swep"), UnknownTarget, "Did you mean 'sweep'? `manage_task_queue tasks`"),
        (lambda: controls.pause(tenant=71), UnknownTarget, "No tenant is called 71; known: 7. Did you mean '7'?"),
        (lambda: controls.resume(queue="emial"), UnknownTarget, "Did you mean 'email'?"),
        (lambda: controls.pause(tenant=0), WrongControl, "The tenant is 0; right is its id"),
        (lambda: controls.pause(tenant=True), WrongControl, "The tenant is True; right is its id"),
        (lambda: controls.pause(queue=""), WrongControl, "The queue is ''; right is its name"),
        (lambda: controls.pause(), WrongControl, "Nothing is named: name a queue, a task or a tenant"),
        (lambda: controls.limit(running=5), WrongControl, "Nothing is named"),
        (lambda: controls.limit(queue="email"), WrongControl, "Nothing is limited: give running, rate_per_s or both"),
        (lambda: controls.limit(queue="email", running=0), WrongControl, "running is 0; right is a whole number from 1"),
        (lambda: controls.limit(queue="email", running=-1), WrongControl, "To let none run, pause them"),
        (lambda: controls.limit(queue="email", running=1.5), WrongControl, "running is 1.5"),
        (lambda: controls.limit(queue="email", running=True), WrongControl, "running is True"),
        (lambda: controls.limit(queue="email", rate_per_s=0), WrongControl, "rate_per_s is 0; right is a number (0.1 is one in ten seconds) from 0.000001 to"),
        (lambda: controls.limit(queue="email", rate_per_s=float("nan")), WrongControl, "rate_per_s is nan"),
        (lambda: controls.limit(queue="email", rate_per_s=5e-324), WrongControl, "rate_per_s is 5e-324"),
        (lambda: controls.limit(queue="email", rate_per_s=float("inf")), WrongControl, "rate_per_s is inf"),
        (lambda: controls.limit(queue="email", rate_per_s=1, burst=0.5), WrongControl, "burst is 0.5; right is a number from 1"),
        (lambda: controls.limit(queue="email", running=1, burst=2), WrongControl, "belongs to a rate, and queue email has none"),
        (lambda: controls.limit(queue="email", running=None), NothingToLift, "There is no limit of queue email"),
        (lambda: controls.resume(queue="email"), NothingToLift, "There is no pause of queue email"),
        (lambda: controls.pause(queue="email", minutes=0), WrongControl, "minutes is 0; right is a number above 0"),
        (lambda: controls.pause(queue="email", minutes=float("nan")), WrongControl, "minutes is nan"),
        (lambda: controls.pause(queue="email", minutes=1, until=NOW), WrongControl, "Give minutes or until, not both"),
        (lambda: controls.pause(queue="email", until=NOW), WrongControl, "right is an instant after now"),
        (lambda: controls.pause(queue="email", until=dt.datetime(2999, 1, 1)), WrongControl, "a datetime with its zone"),
        (lambda: controls.pause(queue="email", until=NOW + dt.timedelta(days=9999)), WrongControl, "within ten years"),
        (lambda: controls.pause(queue="email", until="soon"), WrongControl, "until is 'soon'"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_what_is_right_and_nothing_is_written(
    call: Callable[[], object], kind: type[Exception], text: str, acme: int, sweep_task: Task
) -> None:
    before = TaskAuditLog.objects.count()

    with pytest.raises(WrongControl) as refused:
        call()

    assert type(refused.value) is kind
    assert text in str(refused.value)
    assert not QueueControl.objects.exists()
    assert TaskAuditLog.objects.count() == before


def test_what_is_not_paused_or_limited_by_these_very_words_is_not_lifted(db: None, acme: int) -> None:
    controls.pause(queue=queues.EMAIL, tenant=acme)
    controls.limit(queue=queues.EMAIL, rate_per_s=3)

    for call in (
        lambda: controls.resume(queue=queues.EMAIL),
        lambda: controls.limit(queue=queues.EMAIL, running=None),
        lambda: controls.limit(queue=queues.EMAIL, tenant=acme, running=None, rate_per_s=None),
    ):
        with pytest.raises(NothingToLift):
            call()


def test_a_control_of_a_name_that_is_gone_can_be_lifted_and_not_set(db: None) -> None:
    QueueControl.objects.create(task_name="gone", max_running=1)

    with pytest.raises(UnknownTarget):
        controls.limit(task="gone", running=2)
    assert controls.limit(task="gone", running=None).is_idle


# -- waking and the audit log


def test_every_change_wakes_the_queues_that_it_concerns(committed: None, sweep_task: Task) -> None:
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as ear:
        for name in queues.configured():
            ear.execute(f'LISTEN "procrastinate_queue_v1#{name}"')

        def listen() -> list[str]:
            return sorted(each.channel.partition("#")[2] for each in ear.notifies(timeout=0.5))

        controls.limit(queue=queues.EMAIL, running=3)
        assert listen() == [queues.EMAIL]
        controls.pause(queue=queues.EMAIL)
        controls.resume(queue=queues.EMAIL)
        assert listen() == [queues.EMAIL, queues.EMAIL]
        controls.pause(task="sweep")
        assert listen() == sorted(queues.configured())


def test_a_change_and_its_audit_row_are_one(committed: None, acme_committed: int) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        controls.pause(tenant=acme_committed)
        raise RuntimeError
    assert not QueueControl.objects.exists()
    assert not TaskAuditLog.objects.filter(act="pause").exists()

    def broken(*args: Any, **more: Any) -> None:
        raise RuntimeError("no room for the row")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(audit, "write", broken)
        controls.pause(tenant=acme_committed)
    assert not QueueControl.objects.exists()


@pytest.fixture
def acme_committed(committed: None) -> int:
    execute(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (7, 'Acme', true, 1, now())"
    )
    return 7


def test_two_who_set_the_same_for_the_first_time_make_one_row(committed: None) -> None:
    """The second waits for the first, and changes its row."""
    began = threading.Event()

    def other() -> None:
        try:
            began.set()
            controls.limit(queue=queues.EMAIL, rate_per_s=5)
        finally:
            connection.close()

    with transaction.atomic():
        controls.limit(queue=queues.EMAIL, running=3)
        thread = threading.Thread(target=other)
        thread.start()
        began.wait(5)
        time.sleep(0.1)  # long enough to be waiting; if it is not yet, it comes later, with the same end
    thread.join(10)

    (made,) = controls.listing()
    assert (made.max_running, made.rate_per_s) == (3, 5)


# -- rows that are no longer wanted


def test_an_idle_control_goes_once_nothing_is_parked_under_it_and_never_earlier(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        controls.limit(task="sweep", running=1)
        controls.limit(queue=queues.EMAIL, running=1)
        controls.pause(queue=queues.REPORTS)
        put(sweep_task, 4)
        held = desk.claim(10)
        assert (len(held), parked()) == (1, 3)
        controls.limit(task="sweep", running=None)

        assert tidy.forget_idle(NOW) == 0
        desk.finish(held[0], "succeeded")
        assert len(desk.claim(10)) == 3
        assert tidy.forget_idle(NOW) == 1
        assert [each.target for each in controls.listing()] == ["queue email", "queue reports"]

    must_catch(check, "youtility_tasks_forget_control_v1", "p.control_id = p_control", "false")
    must_catch(check, "youtility_tasks_parked_v1", "j.parked_by > control_id", "j.parked_by < 0")


def test_a_pause_whose_time_is_over_goes_too(db: None) -> None:
    controls.pause(queue=queues.EMAIL, minutes=5)
    assert tidy.forget_idle(NOW) == 0

    QueueControl.objects.update(paused_until=timezone.now())

    assert tidy.forget_idle(NOW) == 1


def test_upkeep_waits_for_a_claim_that_may_still_park_under_the_control(committed: None) -> None:
    """And a control that is set again in the meantime stays."""
    controls.limit(queue=queues.MAINTENANCE, running=1)
    controls.limit(queue=queues.MAINTENANCE, running=None)
    ((control_id,),) = rows("SELECT id FROM youtility_tasks_queuecontrol")
    done: list[object] = []

    def forget() -> None:
        try:
            done.extend(queries.fetch("forget_control", {"control_id": control_id}))
        finally:
            connection.close()

    with psycopg.connect(**connection.get_connection_params()) as claiming:
        claiming.execute("SELECT pg_advisory_xact_lock(hashtext('youtility_tasks_control'), %s)", [control_id])
        thread = threading.Thread(target=forget)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it did not wait"
        controls.limit(queue=queues.MAINTENANCE, running=2)
        claiming.commit()
    thread.join(5)

    assert done == [(False,)]
    assert [each.max_running for each in controls.listing()] == [2]


def test_a_claim_that_finds_its_last_control_gone_claims_as_without(committed: None, sweep_task: Task) -> None:
    """It saw the control, waited for its lock, and upkeep had taken the control away."""
    controls.limit(queue=queues.MAINTENANCE, running=1)
    put(sweep_task, 3)
    desk = Desk()
    taken: list[object] = []

    def claim() -> None:
        try:
            taken.extend(desk.claim(10))
        finally:
            connection.close()

    with psycopg.connect(**connection.get_connection_params()) as tidying:
        tidying.execute(
            "SELECT pg_advisory_xact_lock(hashtext('youtility_tasks_control'), id) FROM youtility_tasks_queuecontrol"
        )
        thread = threading.Thread(target=claim)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it did not wait"
        tidying.execute("DELETE FROM youtility_tasks_queuecontrol")
        tidying.commit()
    thread.join(5)

    assert len(taken) == 3


def test_jobs_parked_under_a_control_that_somebody_deleted_are_freed(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        controls.limit(task="sweep", running=1)
        put(sweep_task, 4)
        desk.claim(10)
        QueueControl.objects.all().delete()
        assert desk.claim(10) == []

        assert tidy.free_orphans(NOW) == 3
        assert len(desk.claim(10)) == 3

    must_catch(check, "youtility_tasks_unpark_v1", "SET parked_by = 0", "SET parked_by = p_control")


def test_nothing_is_freed_under_a_control_that_is_there(desk: Desk, sweep_task: Task) -> None:
    control_id = controls.limit(task="sweep", running=1).control_id
    put(sweep_task, 4)
    desk.claim(10)

    assert tidy.free_orphans(NOW) == 0
    under = {"queue_name": queues.MAINTENANCE, "control_id": control_id, "most": 10}
    assert queries.fetch("unpark", under) == [(0,)]
    assert parked() == 3


def test_tidying_is_a_duty_of_upkeep(db: None) -> None:
    controls.limit(queue=queues.EMAIL, running=1)
    controls.limit(queue=queues.EMAIL, running=None)

    assert duties.run_due()["tidy controls"] == 1
    assert json.dumps([each.target for each in controls.listing()]) == "[]"
