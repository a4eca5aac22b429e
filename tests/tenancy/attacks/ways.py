"""What the attacks stand on: the tables they reach for, and what counts as refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg
from psycopg import errors

from tests.tenancy.ground import A, B, Connection, House

Attack = Callable[[House, str], None]
"""`attack(house, part)`: as "web" or "task"."""


KEPT_APART = {
    "procrastinate_jobs": "tenant_id",
    "youtility_tasks_history": "tenant_id",
    "youtility_tasks_taskeffect": "tenant_id",
    "youtility_tasks_tenant": "id",
}


CONTROL = "queue_name, task_name, tenant_id, burst, is_paused, paused_by, reason, changed_by"


OWN_CONTROL = "'email', '', 7, 1, false, '', '', ''"


SET_BY_PEOPLE = {
    "youtility_tasks_queuecontrol": "tenant_id",
    "youtility_tasks_taskauditlog": "tenant_id",
    "youtility_tasks_tenantmembership": "tenant_id",
    "procrastinate_events": "job_id",
}
"""Tables that a house is furnished without; `set_by_people` puts a row of each tenant into them for the length of a block."""


OF_THE_HOUSE = {
    "youtility_tasks_taskworker": "status",
    "youtility_tasks_queuecounter": "value",
    "youtility_tasks_upkeepduty": "done_count",
    "procrastinate_workers": "last_heartbeat",
    "procrastinate_periodic_defers": "job_id",
}
"""Tables without a tenant that only workers write -> a column of each."""


REFUSED = (errors.InsufficientPrivilege, errors.FeatureNotSupported)


@contextlib.contextmanager
def refused(connection: Connection, *kinds: type[psycopg.Error]) -> Iterator[None]:
    """The block's statement is refused, and the transaction goes on."""
    try:
        with connection.transaction(force_rollback=True):
            yield
    except kinds or REFUSED as error:  # noqa: B030
        assert "Bolt" not in str(error), f"the refusal tells something of B: {error}"
        return
    raise AssertionError("it was let through")


@contextlib.contextmanager
def allowed_temporary(house: House, part: str) -> Iterator[None]:
    """As where a database's owner has handed it out: the outer wall is gone, and what stands behind it must hold."""
    login = house.login(part)
    house.rows(f'GRANT TEMPORARY ON DATABASE {house.name} TO "{login}"')
    try:
        yield
    finally:
        house.rows(f'REVOKE TEMPORARY ON DATABASE {house.name} FROM "{login}"')


@contextlib.contextmanager
def set_by_people(house: House) -> Iterator[None]:
    """A control, an act, a membership and an event of each tenant."""
    house.rows("INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)"
               " VALUES (99, 'somebody', '', false, false, true, '', '', '', now())")  # fmt: skip
    for tenant in (A, B):
        own = OWN_CONTROL.replace("7", str(tenant))
        house.rows(f"INSERT INTO youtility_tasks_queuecontrol ({CONTROL}) VALUES ({own})")
        act = "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason) VALUES ('', '', '', %s, '')"
        house.rows(act, tenant)
        member = "INSERT INTO youtility_tasks_tenantmembership (tenant_id, user_id, role, created_at) VALUES (%s, 99, 'viewer', now())"
        house.rows(member, tenant)
        house.rows(
            "INSERT INTO procrastinate_events (job_id, type) SELECT min(id), 'deferred' FROM procrastinate_jobs WHERE tenant_id = %s",
            tenant,
        )
    try:
        yield
    finally:
        for table in ("queuecontrol", "tenantmembership"):
            house.rows(f"DELETE FROM youtility_tasks_{table}")
        house.rows("TRUNCATE youtility_tasks_taskauditlog")
        house.rows("DELETE FROM procrastinate_events")
        house.rows("DELETE FROM auth_user WHERE id = 99")


def everything_of_b(house: House) -> list[object]:
    return [
        house.rows(f"SELECT md5(array_agg(t ORDER BY t::text)::text) FROM {table} t WHERE {column} = %s", B)
        for table, column in KEPT_APART.items()
    ]
