"""One session of the server, handed from client to client by a pooler, after SQL of one tenant has done to it what it could."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connections

from tests.poolers.bouncer import a_bouncer
from tests.tenancy.ground import A, B, House, become
from youtility_tasks.models import Job, TaskEffect
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import nobody, tenant

pytestmark = pytest.mark.usefixtures("django_db_setup")

LEFT_BEHIND = (
    "SET youtility_tasks.token = '{token}'",
    "SELECT set_config('youtility_tasks.token', '{token}', false)",
    "SET youtility_tasks.tenant = '7'",
    "SET search_path = pg_catalog, public, pg_temp",
    'SET search_path = pg_catalog, "public", pg_temp',
    "SET search_path = pg_temp, public",
    "SET row_security = off",
    "SET ROLE NONE",
    'SET ROLE "{group}"',
    "SET plan_cache_mode = force_generic_plan",
    "SET session_replication_role = replica",
    "SET default_transaction_read_only = on",
    "SET default_transaction_deferrable = on",
    "SET client_min_messages = debug5",
    "SET debug_print_plan = on",
    "PREPARE mine AS SELECT tenant_id FROM procrastinate_jobs",
    "DECLARE mine CURSOR WITH HOLD FOR SELECT tenant_id FROM procrastinate_jobs",
    "LISTEN procrastinate_any_queue_v1",
    "SELECT pg_advisory_lock(7)",
    "CREATE TEMP TABLE procrastinate_jobs (tenant_id integer)",
    "CREATE FUNCTION pg_temp.youtility_tasks_tenant_v1() RETURNS integer LANGUAGE sql AS 'SELECT 7'",
    "CREATE OPERATOR = (LEFTARG = integer, RIGHTARG = integer, FUNCTION = pg_catalog.int4ne)",
    "ALTER SYSTEM SET row_security = off",
)
"""What A says with a commit after it; some of it the server refuses."""


@pytest.fixture
def one_session(house: House, django_db_blocker: Any) -> Iterator[str]:
    """The way through a pooler that has one session for everybody."""
    users = [house.login("web"), house.login("task")]
    with a_bouncer(house.url, "transaction", users=users, default_pool_size=1) as made, django_db_blocker.unblock():
        yield made.url


def leave(house: House, way: str, statement: str) -> None:
    filled = statement.format(token=house.token(A), group=house.group("web"))
    with psycopg.connect(house.conninfo("web", url=way), prepare_threshold=None) as session:
        become(session, house.token(A))
        try:
            session.execute(filled)
            session.commit()
        except psycopg.Error:
            session.rollback()


def seen() -> set[int] | str:
    try:
        return set(Job.objects.values_list("tenant_id", flat=True)) | set(
            TaskEffect.objects.values_list("tenant_id", flat=True)
        )
    except DatabaseError as error:
        assert "Acme" not in str(error) and "Bolt" not in str(error)
        return type(error).__name__
    finally:
        connections["default"].close()


def who_comes_next(house: House, way: str) -> tuple[Any, Any, Any]:
    """What B, A and nobody see on that session: rows of these tenants, or an error."""
    with house.settled(by=way):
        roles.act_as("web")
        found = []
        for context in (tenant(B), tenant(A), nobody()):
            with context:
                found.append(seen())
    return tuple(found)  # type: ignore[return-value]


@pytest.mark.parametrize("statement", LEFT_BEHIND)
def test_who_comes_next_sees_the_rows_of_his_own_tenant_or_an_error(
    house: House, one_session: str, statement: str
) -> None:
    leave(house, one_session, statement)

    of_b, of_a, of_nobody = who_comes_next(house, one_session)

    assert of_b in ({B}, "NotSupportedError", "ProgrammingError", "InternalError"), of_b
    assert of_a in ({A}, of_b), of_a
    # A token of A's that A's SQL sets for the session shows A's own rows to whoever has none (README.md, accepted), never B's.
    assert of_nobody in (set(), {A}, of_b), of_nobody
    assert of_nobody != {A} or "token" in statement


def test_a_pooler_that_resets_sessions_leaves_not_even_that(house: House, django_db_blocker: Any) -> None:
    users = [house.login("web")]
    options = {"default_pool_size": 1, "server_reset_query_always": 1}
    with django_db_blocker.unblock(), a_bouncer(house.url, "transaction", users=users, **options) as made:
        for statement in LEFT_BEHIND:
            leave(house, made.url, statement)
            assert who_comes_next(house, made.url) == ({B}, {A}, set()), statement


def test_a_guard_that_lets_the_session_keep_its_token_is_caught(
    house: House, one_session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: as many systems do, `SET` without LOCAL, and nothing said where there is no tenant."""
    monkeypatch.setattr("youtility_tasks.tenancy.guard._SEND", "SELECT set_config('youtility_tasks.token', %s, false)")
    with pytest.raises(AssertionError):
        leave(house, one_session, "SELECT 1")
        assert who_comes_next(house, one_session)[2] == set()
        with psycopg.connect(house.conninfo("web", url=one_session)) as session:
            assert session.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)
