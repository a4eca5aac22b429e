"""A database with real roles in it, and connections as each of them."""

from __future__ import annotations

import contextlib
import functools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings as django_settings
from django.db import connections
from django.test import override_settings
from psycopg.conninfo import make_conninfo

from tests.conftest import Cluster, Eye, point_django_at
from youtility_tasks.conf import PARTS
from youtility_tasks.tenancy import apply, roles, token

A, B = 7, 8
"""Two tenants that there are in every house."""

Connection = psycopg.Connection[tuple[Any, ...]]

ENTRY = (
    "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason) VALUES ('x', 'x', 'x', {}, '')"
)
"""What a transaction of the web or of an operator that acts must have, or its commit is refused."""


@dataclass
class House:
    """One database, its roles, and the settings that name them. The roles are the cluster's, so each house has its own."""

    cluster: Cluster
    name: str
    prefix: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}_")
    tenant_key: str = field(default_factory=lambda: secrets.token_hex(32))
    migrator: str = "youtility"

    @property
    def url(self) -> str:
        return self.cluster.url(self.name)

    @property
    def settings(self) -> dict[str, Any]:
        """YOUTILITY_TASKS of this house."""
        return {
            "role_prefix": self.prefix,
            "roles": {part: {"USER": self.login(part), "PASSWORD": f"of {part}"} for part in PARTS},
            "tenant_key": self.tenant_key,
        }

    def login(self, part: str) -> str:
        return f"{self.prefix}the_{part}"

    def group(self, part: str) -> str:
        return f"{self.prefix}{part}"

    def conninfo(self, part: str | None = None, *, url: str | None = None) -> str:
        """To the database as one of the parts; without one as the tests' superuser. `url`: by another way, a pooler's."""
        login = {} if part is None else {"user": self.login(part), "password": f"of {part}"}
        return make_conninfo(url or self.url, **login)

    def key(self) -> token.Key:
        return token.derive(self.tenant_key)

    def token(self, tenant: int, *, life_s: float = 60) -> str:
        return token.mint(tenant, life_s=life_s, by=self.key())

    @contextlib.contextmanager
    def connect(
        self, part: str | None = None, tenant: int | None = None, *, url: str | None = None
    ) -> Iterator[Connection]:
        """A session as that part; with a tenant in one open transaction that carries its token and is rolled back."""
        with psycopg.connect(self.conninfo(part, url=url), autocommit=tenant is None) as connection:
            if tenant is not None:
                become(connection, self.token(tenant))
            yield connection
            connection.rollback()

    @functools.cached_property
    def eye(self) -> Eye:
        return Eye(self.url)

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """As the superuser, committed."""
        return self.eye.rows(statement, *parameters)

    @contextlib.contextmanager
    def settled(self, *, by: str | None = None, **more: Any) -> Iterator[None]:
        """This process works in this house, with these settings; Django connects as the one who migrates. `by`: a pooler's way."""
        before = dict(connections.databases["default"])
        point_django_at(by or self.url)
        try:
            with override_settings(YOUTILITY_TASKS={**django_settings.YOUTILITY_TASKS, **self.settings, **more}):
                try:
                    yield
                finally:  # also after a test that fails, or all that follow would go astray
                    connections["default"].close()
                    roles.act_as(roles.MIGRATOR)
        finally:
            connections["default"].close()
            connections.databases["default"].update(before)

    def owners(self, table: str) -> list[str]:
        """Who owns a table, if row level security could bind him at all."""
        found = self.rows(
            "SELECT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = %s::regclass AND NOT r.rolsuper",
            table,
        )
        return [name for (name,) in found]

    def pull_down(self) -> None:
        """The database, then the roles."""
        self.eye.close()
        self.cluster.drop(self.name)
        for each in [*map(self.login, PARTS), *map(self.group, (*PARTS, "owner"))]:
            self.cluster.run(f'DROP ROLE IF EXISTS "{each}"')


def become(connection: Connection, text: str, *, local: bool = True) -> None:
    """Send a token, as the guard does."""
    connection.execute("SELECT set_config('youtility_tasks.token', %s, %s)", [text, local])


def build(cluster: Cluster, template: str) -> House:
    """A house with its roles, two tenants, and two jobs, an attempt and an effect of each."""
    house = House(cluster, cluster.copy(template))
    with house.settled():
        applied = apply.make_true()
        assert not [*applied.for_the_dba, *(each for each in applied.left if "closed" not in each)], applied
    furnish(house)
    return house


_ROLES = """
    SELECT to_jsonb(r) - 'oid', (SELECT jsonb_agg(to_jsonb(s) - 'setrole' ORDER BY s::text) FROM pg_db_role_setting s WHERE s.setrole = r.oid),
           (SELECT jsonb_agg(jsonb_build_array(m.roleid::regrole, m.member::regrole, to_jsonb(m) - 'oid') ORDER BY m.roleid, m.member)
              FROM pg_auth_members m WHERE r.oid IN (m.roleid, m.member))
      FROM pg_authid r WHERE starts_with(r.rolname, %s) ORDER BY r.rolname
"""


class Plot:
    """Houses that are made by copying one. Roles are the cluster's, so a copy lives among those of the first.

    Whoever changes his roles spoils them for the next: then the first house is pulled down, and another one is built.
    """

    def __init__(self, cluster: Cluster, template: str) -> None:
        self._cluster, self._template = cluster, template
        self._first: House | None = None
        self._roles: list[tuple[Any, ...]] = []
        self._eye = Eye(cluster.conninfo)

    def house(self) -> House:
        """One more, as `build` makes them."""
        first = self._first
        if first is None:
            first = self._first = build(self._cluster, self._template)
            self._roles = self._eye.rows(_ROLES, first.prefix)
            first.eye.close()  # what is copied must have no sessions
        copy = House(self._cluster, self._cluster.copy(first.name), first.prefix, first.tenant_key)
        # What is granted on the database itself is not copied.
        self._cluster.run(f"REVOKE TEMPORARY ON DATABASE {copy.name} FROM PUBLIC")
        return copy

    def take_back(self, house: House) -> None:
        house.eye.close()
        self._cluster.drop(house.name)
        if self._first is not None and self._eye.rows(_ROLES, self._first.prefix) != self._roles:
            self.clear()

    def clear(self) -> None:
        self._eye.close()
        if self._first is not None:
            self._first.pull_down()
            self._first = None


def furnish(house: House) -> None:
    for tenant, name in ((A, "Acme"), (B, "Bolt")):
        house.rows(
            "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (%s, %s, true, 1, now())",
            tenant,
            name,
        )
        secret = f'{{"secret": "of {name}"}}'
        for status in ("todo", "failed"):
            house.rows(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, tenant_id, lock, unique_key)"
                " VALUES ('email', 't', %s, %s::text::procrastinate_job_status, %s, %s, 'k' || %s)",
                secret, status, tenant, f"{tenant}:lock-{status}", status,
            )  # fmt: skip
        house.rows(
            "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number,"
            " enqueued_at, finished_at, status, outcome, is_final, args) VALUES (1000000 + %s, 't', 'email', %s, 5, 1, 1, now(),"
            " now(), 'succeeded', 'succeeded', true, %s)",
            tenant, tenant, secret,
        )  # fmt: skip
        house.rows(
            "INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note, done_at)"
            " VALUES (%s, 'same key', 'done', 't', '', now())",
            tenant,
        )
