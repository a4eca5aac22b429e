"""Compares a database with the plan; each difference says what is wrong and, where SQL can help, which.

`apply` runs that SQL, `setup_task_queue --check` and the doctor show it, and workers do not start while there is any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from django.db import ProgrammingError, transaction

from youtility_tasks import queries
from youtility_tasks.conf import settings

from . import grants, roles, token
from .catalogue import Catalogue, Found, Role, quoted
from .difference import PUBLIC, TABLES, Difference, grantee_of, in_order, runtime
from .plan import plan as planned
from .rights import GROUPS, HISTORY, OPS, OWNER, PATH, USERS, Plan, Policy, Table

_MORE_FOR_OPS = ("pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables")
"""What an operator may be given besides, to see who holds what."""


def differences(plan: Plan, *, as_migrator: bool) -> list[Difference]:
    """Everything in which this database is not as planned, in the order in which it can be repaired.

    `as_migrator`: this session is the one that migrates; it must be able to act as the owner.
    """
    there = Catalogue(plan)
    found = [*_roles(plan, there), *(_migrator(plan, there) if as_migrator else ())]
    found += [*_database(plan, there), *_schema(plan, there), *_ownership(plan, there), *_row_security(plan, there)]
    return [*found, *grants.functions(plan, there), *grants.grants(plan, there), *grants.strangers(plan, there)]


def open_doors() -> list[str]:
    """Why this database does not keep tenants apart as planned, or does not know this process's key; empty when all is well."""
    found = [each.says for each in differences(planned(), as_migrator=False) if not each.is_closed]
    if not found and roles.acting_as() in USERS:
        try:
            with transaction.atomic(using=settings().database):
                queries.fetch("tenancy_own_token", {"token": token.current(0).text})
        except ProgrammingError as refusal:
            found.append(str(refusal).strip().splitlines()[0])
    return found


def voids() -> list[str]:
    """What makes all policies worthless for this process: a role that they do not bind, a table without them."""
    return [each.says for each in differences(planned(), as_migrator=False) if each.voids_all]


# -- roles


def _roles(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    for group in map(plan.group, GROUPS):
        role = there.roles.get(group)
        if role is None:
            yield Difference(f"the group {group} does not exist", f"CREATE ROLE {quoted(group)} NOLOGIN", "roles")
            continue
        yield from _too_powerful(role, "a group of the plan")
        if role.can_login:
            yield Difference(f"{group} can log in", f"ALTER ROLE {quoted(group)} NOLOGIN", "roles")
        yield from _memberships(role, set(), plan)
    for part, login in plan.logins.items():
        group = plan.group(part)
        role = there.roles.get(login)
        if role is None:
            yield Difference(
                f"the user {login} ({part}) does not exist",
                f"CREATE ROLE {quoted(login)} LOGIN INHERIT",
                "roles",
                new_login=part,
            )
            yield Difference(f"{login} is no member of {group}", f"GRANT {quoted(group)} TO {quoted(login)}", "roles")
            continue
        yield from _too_powerful(role, f"the user of {part}")
        if not role.can_login or not role.inherits:
            yield Difference(
                f"{login} cannot log in, or inherits nothing", f"ALTER ROLE {quoted(login)} LOGIN INHERIT", "roles"
            )
        if group not in role.member_of:
            yield Difference(f"{login} is no member of {group}", f"GRANT {quoted(group)} TO {quoted(login)}", "roles")
        yield from _memberships(role, {group, *_MORE_FOR_OPS} if part == OPS else {group}, plan)
        for setting, database in there.settings.get(login, ()):
            here = f" IN DATABASE {quoted(database)}" if database else ""
            yield Difference(
                f"every session of {login} ({part}) begins with a {setting} of its own: whoever had SQL there may have set it",
                f"ALTER ROLE {quoted(login)}{here} RESET {quoted(setting)}",
                "roles",
                is_closed=True,  # or SQL in one session of the web could keep all workers from starting
            )
        for table in there.tables.values():
            if table.owner == login:
                yield Difference(
                    f"{login}, the user of {part}, owns the table {table.name}: it could open it to everybody",
                    voids_all=True,
                )


def _too_powerful(role: Role, what: str) -> Iterator[Difference]:
    powers = {
        "SUPERUSER": role.is_superuser,
        "BYPASSRLS": role.bypasses_rls,
        "CREATEROLE": role.creates_roles,
        "CREATEDB": role.creates_databases,
        "REPLICATION": role.replicates,
    }
    held = [power for power, is_held in powers.items() if is_held]
    if held:
        without = " ".join(f"NO{power}" for power in held)
        yield Difference(
            f"{role.name}, {what}, is {' '.join(held)}",
            f"ALTER ROLE {quoted(role.name)} {without}",
            "roles",
            voids_all=True,
        )


def _memberships(role: Role, allowed: set[str], plan: Plan) -> Iterator[Difference]:
    ours = set(map(plan.group, GROUPS))
    for other in sorted(set(role.member_of) - allowed):
        repair = f"REVOKE {quoted(other)} FROM {quoted(role.name)}" if other in ours else None
        yield Difference(f"{role.name} has the rights of {other}", repair, "roles", voids_all=True)


def _migrator(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    owner = plan.group(OWNER)
    if not there.is_superuser and owner not in there.roles[there.me].member_of:
        yield Difference(
            f"{there.me}, who migrates, is no member of {owner}",
            f"GRANT {quoted(owner)} TO {quoted(there.me)}",
            "roles",
        )


# -- tables


def _database(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    """Sessions are used for one tenant after the other, and a temporary table stands before the real one of its name."""
    for kind, name, _, grantee, privilege in sorted(there.grants, key=in_order):
        if kind == "database" and privilege == "TEMPORARY" and grantee in runtime(plan):
            yield Difference(
                f"{grantee} may make temporary tables: one that is left behind stands before the table of that name",
                f"REVOKE TEMPORARY ON DATABASE {quoted(name)} FROM {grantee_of(grantee)}",
                "roles",
            )


def _schema(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    may = {(grantee, privilege) for kind, _, _, grantee, privilege in there.grants if kind == "schema"}
    owner, schema = plan.group(OWNER), quoted(there.schema)
    for group in map(plan.group, GROUPS):
        if not {(group, "USAGE"), (PUBLIC, "USAGE")} & may:
            yield Difference(f"{group} may not use the schema", f"GRANT USAGE ON SCHEMA {schema} TO {quoted(group)}")
    if (owner, "CREATE") not in may and there.schema_owner != owner:
        yield Difference(
            f"{owner} makes the history's days and may not", f"GRANT CREATE ON SCHEMA {schema} TO {quoted(owner)}"
        )
    for grantee in sorted(runtime(plan)):
        if (grantee, "CREATE") in may:
            yield Difference(
                f"{grantee} may make objects in the schema {there.schema}",
                f"REVOKE CREATE ON SCHEMA {schema} FROM {grantee_of(grantee)}",
            )


def _ownership(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    owner = plan.group(OWNER)
    for table in there.tables.values():
        wanted = plan.tables.get(table.parent or table.name)
        if wanted is not None and wanted.owned and table.owner != owner:
            yield Difference(
                f"{table.name} belongs to {table.owner}, not to {owner}",
                f"ALTER TABLE {quoted(table.name)} OWNER TO {quoted(owner)}",
            )


def _row_security(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    for name in plan.tables:
        if name not in there.tables:
            # The catalogue's tables are part of an installation only if their application is.
            yield Difference(f"the table {name} is planned and does not exist", is_closed=True)
    for table in there.tables.values():
        wanted = plan.table(table.parent or table.name)
        if table.kind not in TABLES or wanted is None or not wanted.policies:
            continue
        if not table.has_rls:
            yield Difference(
                f"{table.name} has no row level security",
                f"ALTER TABLE {quoted(table.name)} ENABLE ROW LEVEL SECURITY",
                voids_all=True,
            )
        if not table.is_forced:
            yield Difference(
                f"row level security of {table.name} does not bind its owner (FORCE)",
                f"ALTER TABLE {quoted(table.name)} FORCE ROW LEVEL SECURITY",
                voids_all=True,
            )
        yield from _policies(plan, there, table, _wanted(table, wanted))


def _wanted(table: Found, of: Table) -> Mapping[str, Policy]:
    """A partition is reached through its table; by its own name only upkeep may, and only in the history."""
    if table.parent is None:
        return {policy.name: policy for policy in of.policies}
    if table.parent != HISTORY:
        return {}
    return {policy.name: policy for policy in of.policies if policy.name == "yt_owner"}


def _policies(plan: Plan, there: Catalogue, table: Found, wanted: Mapping[str, Policy]) -> Iterator[Difference]:
    at = quoted(table.name)
    found = there.policies.get(table.name, {})
    concerned = runtime(plan) | {plan.group(OWNER)}
    for name, (is_permissive, _, bound, _, _) in found.items():
        if name not in wanted and is_permissive and concerned & set(bound):
            repair = f"DROP POLICY {quoted(name)} ON {at}" if name.startswith("yt_") else None
            yield Difference(f"{table.name} has a policy {name} that nobody planned", repair)
    for name, policy in wanted.items():
        groups = sorted(map(plan.group, policy.parts))
        using, check = (each and each.replace(PATH, there.path) for each in (policy.using, policy.check))
        shape = (True, policy.command, groups, _essence(using), _essence(check))
        if name in found:
            is_permissive, command, bound, *expressions = found[name]
            if (is_permissive, command, sorted(bound), *map(_essence, expressions)) == shape:
                continue
            yield Difference(
                f"the policy {name} of {table.name} is not the planned one", f"DROP POLICY {quoted(name)} ON {at}"
            )
        conditions = (f" USING ({using})" if using is not None else "") + (
            f" WITH CHECK ({check})" if check is not None else ""
        )
        yield Difference(
            f"{table.name} lacks the policy {name}",
            f"CREATE POLICY {quoted(name)} ON {at} FOR {policy.command} TO {', '.join(map(quoted, groups))}{conditions}",
        )


def _essence(expression: str | None) -> str | None:
    """An expression without what PostgreSQL adds when it shows one: brackets, casts of constants, aliases, schemas."""
    if expression is None:
        return None
    text = re.sub(r"\bAS youtility_tasks_tenant_v1\b|::(text|integer|bigint)\b", "", expression)
    text = re.sub(r"\b\w+\.(?=youtility_tasks_|procrastinate_\w+ )", "", text)
    text = re.sub(r"\bp+\.", "", text)  # as a plan calls the row that another points at
    return re.sub(r"[\s()]", "", text).lower()
