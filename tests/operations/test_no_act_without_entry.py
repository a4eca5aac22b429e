"""What the web or an operator changes is in the audit log by the transaction that changes it, or it is refused: by the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from tests.tenancy.conftest import house, plot
from tests.tenancy.ground import A, House
from youtility_tasks import Workflow, acts, controls, members, roster, schedules, tenant
from youtility_tasks.models import TaskAuditLog
from youtility_tasks.tenancy import roles

__all__ = ["house", "plot"]

pytestmark = pytest.mark.usefixtures("django_db_setup")

ENTRY = (
    "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason) VALUES ('ann', 'x', 'y', 7, 'so')"
)
CONTROL = (
    "INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, tenant_id, max_running, burst, is_paused, reason, changed_by, paused_by)"
    " VALUES ('email', '', 7, 2, 1, false, '', '', '')"
)
OPERATION = (
    "INSERT INTO youtility_tasks_taskoperation (tenant_id, act, filter, reason, started_by, newest_id, done_count, refused_count, refused,"
    " after_id, is_stopped) VALUES (7, 'retry', '{}', '', '', 9, 0, 0, '[]', 0, false)"
)
REDRIVE = (
    "INSERT INTO youtility_tasks_redrive (tenant_id, task_name, queue_name, fingerprint, failed_until, edits, edited, key, reason,"
    " started_by, total_count, done_count, refused_count, refused, after_id, is_stopped)"
    " VALUES (7, '', '', '', now(), '{}', '[]', 'z', '', 'x', 1, 0, 0, '[]', 0, false)"
)
OF_STATUS = "(SELECT array_agg(id) FROM procrastinate_jobs WHERE tenant_id = 7 AND status = '{}')"
BOTH, WEB, OPS = ("web", "ops"), ("web",), ("ops",)
CHANGES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "a tenant's name": (
        BOTH,
        "youtility_tasks_tenant",
        "UPDATE youtility_tasks_tenant SET name = 'Hacked' WHERE id = 7",
    ),
    "a tenant's share": (OPS, "youtility_tasks_tenant", "UPDATE youtility_tasks_tenant SET weight = 9 WHERE id = 7"),
    "a role": (
        BOTH,
        "youtility_tasks_tenantmembership",
        "INSERT INTO youtility_tasks_tenantmembership (tenant_id, user_id, role, created_at) VALUES (7, 99, 'admin', now())",
    ),
    "a token": (
        BOTH,
        "youtility_tasks_apitoken",
        "INSERT INTO youtility_tasks_apitoken (digest, name, user_id, username, tenant_id, role, created_by, expires_at, revoked_by)"
        " VALUES ('d', 'n', 99, 'u', 7, '', '', now(), '')",
    ),
    "a limit": (BOTH, "youtility_tasks_queuecontrol", CONTROL),
    "a schedule": (
        WEB,
        "youtility_tasks_scheduledtask",
        "UPDATE youtility_tasks_scheduledtask SET is_paused = true, paused_at = now() WHERE tenant_id = 7",
    ),
    "a redrive": (BOTH, "youtility_tasks_redrive", REDRIVE),
    "an operation": (BOTH, "youtility_tasks_taskoperation", OPERATION),
    **{
        name: (BOTH, "youtility_tasks_owed", f"SELECT count(*) FROM {call}")
        for name, call in {
            "a cancelled job": f"youtility_tasks_cancel_v1({OF_STATUS.format('todo')}, 'todo', '', 7)",
            "a discarded letter": f"youtility_tasks_cancel_v1({OF_STATUS.format('failed')}, 'failed', '', 7)",
            "an aborted job": f"youtility_tasks_abort_v1({OF_STATUS.format('doing')}, 7)",
            "a retried letter": f"youtility_tasks_retry_v1({OF_STATUS.format('failed')}, 7)",
            "a redriven letter": f"youtility_tasks_redrive_v1({OF_STATUS.format('failed')}, '{{0}}', '{{NULL}}', '{{NULL}}', '{{NULL}}', '{{NULL}}', now(), 0, 7)",
            "a priority": f"youtility_tasks_prioritize_v1({OF_STATUS.format('todo')}, 9, 7)",
            "another instant": f"youtility_tasks_run_now_v1({OF_STATUS.format('todo')}, now(), 0, 7)",
            "a cancelled run": "youtility_tasks_flow_cancel_v1((SELECT max(id) FROM youtility_tasks_taskworkflow), '', 7)",
            "a signal": "youtility_tasks_flow_signal_v1((SELECT max(id) FROM youtility_tasks_taskworkflow), 'go', NULL, '', 7)",
        }.items()
    },
}
"""What is changed -> who can, the table whose trigger sees it, and how."""


@pytest.fixture
def ledger(house: House, django_db_blocker: Any) -> House:
    house.rows("INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)"
               " VALUES (99, 'somebody', '', false, false, true, '', '', '', now())")  # fmt: skip
    house.rows("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' WHERE status = 'todo'")
    house.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, tenant_id, status, noted) VALUES ('email', 't', 7, 'doing', false)"
    )
    flow = Workflow("waits")
    flow.signal("go")
    with django_db_blocker.unblock(), house.settled(), tenant(A):
        flow.start()
    house.rows(
        "INSERT INTO youtility_tasks_scheduledtask (tenant_id, name, task_name, args, tick_argument, queue_name, kind, cron, zone, days,"
        " working_weekdays, jitter_s, missed, missed_most, grace_s, overlap, is_paused, paused_by, pause_reason, live_jobs, version,"
        " created_at, changed_at, changed_by, settled_to)"
        " SELECT 7, 'nightly', 't', '{}', '', '', 'cron', '0 2 * * *', 'UTC', 'every_day', '[]', 0, 'latest', 1, 0, 'allow', false, '', '', '[]', 1,"
        " now(), now(), '', now()"
    )
    return house


def comes_through(session: psycopg.Connection[Any], *statements: str) -> bool:
    """Whether a transaction that does this could commit; it is rolled back."""
    with session.transaction(force_rollback=True):
        for each in statements:
            session.execute(each)
        try:
            with session.transaction():
                session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except InsufficientPrivilege as refused:
            assert "not entered in the audit log" in str(refused)
            return False
    return True


def become(house: House, part: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(house.conninfo(part), autocommit=True) as session:
        if part != "ops":
            session.execute("SELECT set_config('youtility_tasks.token', %s, false)", [house.token(A)])
        yield session


def passing(house: House, *entries: str) -> set[str]:
    """The changes that come through, by whoever may make them."""
    found: set[str] = set()
    for part in BOTH:
        for session in become(house, part):
            for name, (parts, _, statement) in CHANGES.items():
                if part in parts and comes_through(session, *entries, statement):
                    found.add(f"{name} by {part}")
    return found


ALL = {f"{name} by {part}" for name, (parts, *_) in CHANGES.items() for part in parts}


def test_no_change_by_the_web_or_an_operator_comes_through_without_its_entry(ledger: House) -> None:
    assert passing(ledger) == set()
    assert passing(ledger, ENTRY) == ALL
    assert passing(ledger, ENTRY.replace("'x'", "'changed by SQL'")) == set(), (
        "that is what is entered for want of an entry"
    )


def test_each_trigger_is_needed(ledger: House) -> None:
    for table in sorted({table for _, table, _ in CHANGES.values()}):
        ledger.rows(f"ALTER TABLE {table} DISABLE TRIGGER youtility_tasks_guard")
        try:
            assert passing(ledger) == {
                f"{n} by {part}" for n, (parts, its, _) in CHANGES.items() for part in parts if its == table
            }
        finally:
            ledger.rows(f"ALTER TABLE {table} ENABLE TRIGGER youtility_tasks_guard")


def test_the_commit_itself_is_refused_and_says_what_to_do(ledger: House) -> None:
    with pytest.raises(InsufficientPrivilege) as refused, ledger.connect("web", A) as session:
        session.execute(CHANGES["a limit"][2])
        session.commit()
    assert "INSERT of control" in str(refused.value)
    assert "insert the row into youtility_tasks_taskauditlog" in str(refused.value)
    assert ledger.rows("SELECT count(*) FROM youtility_tasks_queuecontrol") == [(0,)]


def test_an_entry_of_another_transaction_or_one_that_was_rolled_back_does_not_do(ledger: House) -> None:
    for session in become(ledger, "web"):
        session.execute(ENTRY)
        assert not comes_through(session, CONTROL)
        assert not comes_through(session, "SAVEPOINT s", ENTRY, "ROLLBACK TO s", CONTROL)
        with pytest.raises(InsufficientPrivilege):
            session.execute(ENTRY.replace("(actor,", "(xid, actor,").replace("('ann'", "('9', 'ann'"))


def test_tasks_workers_and_the_owner_of_the_schema_are_not_asked(ledger: House) -> None:
    for session in become(ledger, "task"):
        for name, (parts, table, statement) in CHANGES.items():
            if "web" in parts and table in {
                "youtility_tasks_owed",
                "youtility_tasks_scheduledtask",
                "youtility_tasks_redrive",
            }:
                assert comes_through(session, statement), name
    for session in become(ledger, "web"):
        enqueue = "INSERT INTO procrastinate_jobs (queue_name, task_name, priority, tenant_id, noted) VALUES ('email', 't', 5, 7, false)"
        assert comes_through(session, enqueue)
    ledger.rows(CONTROL)
    assert ledger.rows("SELECT count(*) FROM youtility_tasks_owed") == [(0,)]


@pytest.fixture
def as_web(ledger: House, django_db_blocker: Any) -> Iterator[House]:
    with django_db_blocker.unblock(), ledger.settled():
        roles.act_as("web")
        yield ledger


def test_the_houses_own_acts_come_through(as_web: House) -> None:
    ((waits,),) = as_web.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = 7 AND status = 'todo'")
    ((letter,),) = as_web.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = 7 AND status = 'failed'")
    with tenant(A):
        acts.retry(letter)
        acts.cancel(waits)
        controls.limit(queue="email", running=2)
        schedules.pause("nightly")
        members.grant(A, "somebody", "viewer")
        roster.rename(A, "Acme & Sons")
        entered = list(TaskAuditLog.objects.order_by("pk").values_list("act", flat=True))
    assert entered[-6:] == ["retry", "cancel", "limit", "pause schedule", "grant role", "rename tenant"]
    assert as_web.rows("SELECT count(*) FROM youtility_tasks_owed") == [(0,)]
