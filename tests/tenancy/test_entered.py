"""A tenant, a limit, a pause or a role that is changed by SQL is in the audit log, whoever changes it and whatever he enters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from tests.tenancy.ground import A, House
from youtility_tasks import audit, controls, members, roster
from youtility_tasks.tenancy import apply, check, plan, roles
from youtility_tasks.tenants import tenant

pytestmark = pytest.mark.usefixtures("django_db_setup")

CONTROL = "INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, tenant_id, max_running, burst, is_paused, reason, changed_by, paused_by) VALUES ('email', '', 7, 2, 1, false, '', '', '')"
MEMBER = "INSERT INTO youtility_tasks_tenantmembership (tenant_id, user_id, role, created_at) VALUES (7, 99, 'viewer', now())"
CHANGES = {
    "a name": ("UPDATE youtility_tasks_tenant SET name = 'Hacked' WHERE id = 7", {"name": "Hacked"}),
    "a limit": (CONTROL, {"max_running": 2, "queue_name": "email"}),
    "another limit": ("UPDATE youtility_tasks_queuecontrol SET max_running = 9", {"max_running": 9}),
    "a pause": ("UPDATE youtility_tasks_queuecontrol SET is_paused = true", {"is_paused": True}),
    "a longer pause": ("UPDATE youtility_tasks_queuecontrol SET paused_until = '2100-01-01 UTC'", {"is_paused": True}),
    "a role": (MEMBER, {"role": "viewer", "user_id": 99}),
    "a higher role": ("UPDATE youtility_tasks_tenantmembership SET role = 'admin'", {"role": "admin"}),
    "no role": ("DELETE FROM youtility_tasks_tenantmembership", None),
}
"""What the web may say for its tenant -> what must be told to have become of the row."""
FALSE = "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason, after) VALUES ('ann', 'limit', 'x', 7, 'honest', '{\"max_running\": 1}')"


@pytest.fixture
def ledger(house: House) -> House:
    house.rows("INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)"
               " VALUES (99, 'somebody', '', false, false, true, '', '', '', now())")  # fmt: skip
    return house


def entered(house: House) -> list[tuple[Any, ...]]:
    return house.rows("SELECT act, actor, tenant_id, after FROM youtility_tasks_taskauditlog ORDER BY id DESC")


def are_all_entered(house: House) -> None:
    for statement, becomes in CHANGES.values():
        before = len(entered(house))
        with house.connect("web", A) as session:
            session.execute(FALSE)  # an entry that does not tell the truth is none
            session.execute(statement)
            session.commit()
        act, actor, whose, after = entered(house)[0]
        assert len(entered(house)) == before + 2, statement
        assert (act, actor, whose) == ("changed by SQL", f"{house.login('web')} (user of the database)", A), statement
        assert after is None if becomes is None else becomes.items() <= after.items(), statement


def test_what_the_web_changes_by_sql_is_entered(ledger: House) -> None:
    are_all_entered(ledger)


@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"DROP TRIGGER youtility_tasks_enter ON youtility_tasks_{t}"
            for t in ("tenant", "queuecontrol", "tenantmembership")
        ),
        "CREATE OR REPLACE FUNCTION youtility_tasks_enter_v1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    ],
)
def test_without_its_trigger_a_change_goes_unseen(ledger: House, statement: str) -> None:
    ledger.rows(statement)
    with pytest.raises(AssertionError):
        are_all_entered(ledger)


def test_an_operator_and_the_owner_of_the_server_are_entered_as_well(ledger: House) -> None:
    with ledger.connect("ops") as session:
        for change in ("UPDATE youtility_tasks_tenant SET weight = 3 WHERE id = 8", CONTROL.replace(" 7,", " NULL,")):
            with session.transaction():
                session.execute(FALSE)
                session.execute(change)
    ledger.rows("DELETE FROM youtility_tasks_queuecontrol")
    by_sql = [each for each in entered(ledger) if each[0] == "changed by SQL"]
    assert [(actor.split()[0], whose, after and after.get("weight")) for _, actor, whose, after in by_sql[:3]] == [
        ("youtility", None, None),
        (ledger.login("ops"), None, None),
        (ledger.login("ops"), 8, 3),
    ]


def test_what_a_claim_and_upkeep_do_to_a_control_is_nobodys_act(ledger: House) -> None:
    ledger.rows(CONTROL)
    ledger.rows("UPDATE youtility_tasks_queuecontrol SET max_running = NULL")
    before = entered(ledger)
    with ledger.connect("worker") as session:
        session.execute("UPDATE youtility_tasks_queuecontrol SET tokens = tokens - 1, refilled_at = now()")
        assert session.execute(
            "SELECT youtility_tasks_forget_control_v1(id) FROM youtility_tasks_queuecontrol"
        ).fetchone() == (True,)
    assert entered(ledger) == before


@pytest.fixture
def as_web(ledger: House, django_db_blocker: Any) -> Iterator[House]:
    with django_db_blocker.unblock(), ledger.settled():
        roles.act_as("web")
        yield ledger


def test_the_houses_own_acts_are_entered_once_in_their_own_words(as_web: House) -> None:
    begun = len(entered(as_web))
    with tenant(A), audit.acting("ann"):
        with transaction.atomic():
            controls.limit(queue="email", running=2)
            controls.limit(queue="email", rate_per_s=0.1, burst=2.5)
            controls.pause(queue="email", minutes=0.37)
        controls.resume(queue="email")
        controls.limit(queue="email", running=None, rate_per_s=None)
        roster.rename(A, "Acme & Sons")
        members.grant(A, "somebody", "viewer")
        members.grant(A, "somebody", "admin")
        members.revoke(A, "somebody")
    found = entered(as_web)[: len(entered(as_web)) - begun]
    assert {actor for _, actor, *_ in found} == {"ann"}
    assert [act for act, *_ in reversed(found)] == [
        "limit", "limit", "pause", "resume", "limit", "rename tenant", "grant role", "grant role", "revoke role",
    ]  # fmt: skip


def test_a_transaction_that_ends_when_its_token_is_over_is_entered_all_the_same(as_web: House) -> None:
    with tenant(A), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FALSE)
        cursor.execute("UPDATE youtility_tasks_tenant SET name = 'Late'")
        cursor.execute("SELECT set_config('youtility_tasks.token', %s, true)", [as_web.token(A, life_s=-5)])
    assert entered(as_web)[0][:3] == ("changed by SQL", f"{as_web.login('web')} (user of the database)", A)


def test_the_plan_knows_the_trigger_and_says_where_its_surroundings_come_from(as_web: House) -> None:
    roles.act_as(roles.MIGRATOR)
    as_web.rows("ALTER FUNCTION youtility_tasks_enter_v1 RESET search_path")
    as_web.rows("ALTER FUNCTION youtility_tasks_scope_v1 RESET search_path")
    told = [each.says for each in check.differences(plan.plan(), as_migrator=True)]
    assert [each for each in told if "enter_v1" in each and each.endswith("from the migration 0019")]
    assert [each for each in told if "scope_v1" in each and each.endswith("from the migration 0015")]
    assert apply.make_true().left
