"""What a database's catalogue says now about roles, rights and policies, as far as the plan speaks of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from youtility_tasks import queries

from .rights import GROUPS, Plan

Grant = tuple[str, str, str | None, str, str]
"""kind, object, column, grantee, privilege."""


@dataclass(frozen=True, slots=True)
class Found:
    """A table or view as it is."""

    name: str
    kind: str
    owner: str
    has_rls: bool
    is_forced: bool
    parent: str | None
    is_invoker: bool


@dataclass(frozen=True, slots=True)
class Role:
    """A role as it is; `member_of` are those whose rights it has, directly or not."""

    name: str
    can_login: bool
    is_superuser: bool
    bypasses_rls: bool
    creates_roles: bool
    creates_databases: bool
    replicates: bool
    inherits: bool
    member_of: Sequence[str]


class Catalogue:
    """What the database's catalogue says now, as far as it matters here."""

    def __init__(self, plan: Plan) -> None:
        self.me, self.is_superuser, self.makes_roles, self.schema, self.schema_owner = queries.fetch("tenancy_me", {})[
            0
        ]
        schema = self.schema if re.fullmatch("[a-z_][a-z0-9_]*", self.schema) else quoted(self.schema)
        self.path = f"pg_catalog, {schema}, pg_temp"
        """The search_path of functions that run with their owner's rights."""
        self.tables = {row[0]: Found(*row) for row in queries.fetch("tenancy_tables", {})}
        self.policies: dict[str, dict[str, tuple[Any, ...]]] = {}
        for table, name, *rest in queries.fetch("tenancy_policies", {}):
            self.policies.setdefault(table, {})[name] = tuple(rest)
        self.grants: set[Grant] = {tuple(row) for row in queries.fetch("tenancy_grants", {})}
        self.sequences: dict[str, list[str]] = {}
        for table, sequence in queries.fetch("tenancy_sequences", {}):
            self.sequences.setdefault(table, []).append(sequence)
        self.functions = queries.fetch("tenancy_functions", {})
        self.settings: dict[str, list[tuple[str, str | None]]] = {}
        for login, *setting in queries.fetch("tenancy_settings", {"names": list(plan.logins.values())}):
            self.settings.setdefault(login, []).append((setting[0], setting[1]))
        names = [*map(plan.group, GROUPS), *plan.logins.values(), self.me]
        self.roles = {name: Role(name, *powers) for name, *powers in queries.fetch("tenancy_roles", {"names": names})}


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'
