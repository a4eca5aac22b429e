"""Compares a database with the plan; each difference says what is wrong and, where SQL can help, which.

`apply` runs that SQL, `setup_task_queue --check` and the doctor show it, and workers do not start while there is any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db import ProgrammingError, transaction

from youtility_tasks import queries
from youtility_tasks.conf import settings

from . import roles, token
from .plan import GROUPS, HISTORY, OPS, OWNER, PATH, USERS, Plan, Policy, Table
from .plan import plan as planned

Grant = tuple[str, str, str | None, str, str]
"""kind, object, column, grantee, privilege."""

_PUBLIC = "public"
_MORE_FOR_OPS = ("pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables")
"""What an operator may be given besides, to see who holds what."""
_TABLES, _VIEWS = ("r", "p", "f"), ("v", "m")


@dataclass(frozen=True, slots=True)
class Difference:
    """`repair` is one statement, without passwords; None where a person has to decide."""

    says: str
    repair: str | None = None
    by: Literal["roles", "owner"] = "owner"
    """Who may repair it: whoever makes roles, or whoever owns the tables."""
    new_login: str | None = None
    """The part whose login the repair makes."""
    voids_all: bool = False
    """No policy is worth anything while it lasts: then nobody connects, not only no worker."""
    is_closed: bool = False
    """Nothing is open to anybody because of it: it is for people to sort out, and keeps no worker from starting."""


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
        quoted = self.schema if re.fullmatch("[a-z_][a-z0-9_]*", self.schema) else _name(self.schema)
        self.path = f"pg_catalog, {quoted}, pg_temp"
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


def differences(plan: Plan, *, as_migrator: bool) -> list[Difference]:
    """Everything in which this database is not as planned, in the order in which it can be repaired.

    `as_migrator`: this session is the one that migrates; it must be able to act as the owner.
    """
    there = Catalogue(plan)
    found = [*_roles(plan, there), *(_migrator(plan, there) if as_migrator else ())]
    found += [*_database(plan, there), *_schema(plan, there), *_ownership(plan, there), *_row_security(plan, there)]
    return [*found, *_functions(plan, there), *_grants(plan, there), *_strangers(plan, there)]


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


def is_unbound() -> bool:
    """Whether the user that is connected sees every tenant's rows, whatever the policies say: SUPERUSER or BYPASSRLS."""
    *_, is_superuser, bypasses = queries.fetch("session", {})[0][:6]
    return bool(is_superuser or bypasses)


def voids() -> list[str]:
    """What makes all policies worthless for this process: a role that they do not bind, a table without them."""
    return [each.says for each in differences(planned(), as_migrator=False) if each.voids_all]


# -- roles


def _roles(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    for group in map(plan.group, GROUPS):
        role = there.roles.get(group)
        if role is None:
            yield Difference(f"the group {group} does not exist", f"CREATE ROLE {_name(group)} NOLOGIN", "roles")
            continue
        yield from _too_powerful(role, "a group of the plan")
        if role.can_login:
            yield Difference(f"{group} can log in", f"ALTER ROLE {_name(group)} NOLOGIN", "roles")
        yield from _memberships(role, set(), plan)
    for part, login in plan.logins.items():
        group = plan.group(part)
        role = there.roles.get(login)
        if role is None:
            yield Difference(
                f"the user {login} ({part}) does not exist",
                f"CREATE ROLE {_name(login)} LOGIN INHERIT",
                "roles",
                new_login=part,
            )
            yield Difference(f"{login} is no member of {group}", f"GRANT {_name(group)} TO {_name(login)}", "roles")
            continue
        yield from _too_powerful(role, f"the user of {part}")
        if not role.can_login or not role.inherits:
            yield Difference(
                f"{login} cannot log in, or inherits nothing", f"ALTER ROLE {_name(login)} LOGIN INHERIT", "roles"
            )
        if group not in role.member_of:
            yield Difference(f"{login} is no member of {group}", f"GRANT {_name(group)} TO {_name(login)}", "roles")
        yield from _memberships(role, {group, *_MORE_FOR_OPS} if part == OPS else {group}, plan)
        for setting, database in there.settings.get(login, ()):
            here = f" IN DATABASE {_name(database)}" if database else ""
            yield Difference(
                f"every session of {login} ({part}) begins with a {setting} of its own: whoever had SQL there may have set it",
                f"ALTER ROLE {_name(login)}{here} RESET {_name(setting)}",
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
            f"ALTER ROLE {_name(role.name)} {without}",
            "roles",
            voids_all=True,
        )


def _memberships(role: Role, allowed: set[str], plan: Plan) -> Iterator[Difference]:
    ours = set(map(plan.group, GROUPS))
    for other in sorted(set(role.member_of) - allowed):
        repair = f"REVOKE {_name(other)} FROM {_name(role.name)}" if other in ours else None
        yield Difference(f"{role.name} has the rights of {other}", repair, "roles", voids_all=True)


def _migrator(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    owner = plan.group(OWNER)
    if not there.is_superuser and owner not in there.roles[there.me].member_of:
        yield Difference(
            f"{there.me}, who migrates, is no member of {owner}", f"GRANT {_name(owner)} TO {_name(there.me)}", "roles"
        )


# -- tables


def _database(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    """Sessions are used for one tenant after the other, and a temporary table stands before the real one of its name."""
    for kind, name, _, grantee, privilege in sorted(there.grants, key=_in_order):
        if kind == "database" and privilege == "TEMPORARY" and grantee in _runtime(plan):
            yield Difference(
                f"{grantee} may make temporary tables: one that is left behind stands before the table of that name",
                f"REVOKE TEMPORARY ON DATABASE {_name(name)} FROM {_grantee(grantee)}",
                "roles",
            )


def _schema(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    may = {(grantee, privilege) for kind, _, _, grantee, privilege in there.grants if kind == "schema"}
    owner, schema = plan.group(OWNER), _name(there.schema)
    for group in map(plan.group, GROUPS):
        if not {(group, "USAGE"), (_PUBLIC, "USAGE")} & may:
            yield Difference(f"{group} may not use the schema", f"GRANT USAGE ON SCHEMA {schema} TO {_name(group)}")
    if (owner, "CREATE") not in may and there.schema_owner != owner:
        yield Difference(
            f"{owner} makes the history's days and may not", f"GRANT CREATE ON SCHEMA {schema} TO {_name(owner)}"
        )
    for grantee in sorted(_runtime(plan)):
        if (grantee, "CREATE") in may:
            yield Difference(
                f"{grantee} may make objects in the schema {there.schema}",
                f"REVOKE CREATE ON SCHEMA {schema} FROM {_grantee(grantee)}",
            )


def _ownership(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    owner = plan.group(OWNER)
    for table in there.tables.values():
        wanted = plan.tables.get(table.parent or table.name)
        if wanted is not None and wanted.owned and table.owner != owner:
            yield Difference(
                f"{table.name} belongs to {table.owner}, not to {owner}",
                f"ALTER TABLE {_name(table.name)} OWNER TO {_name(owner)}",
            )


def _row_security(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    for name in plan.tables:
        if name not in there.tables:
            # The catalogue's tables are part of an installation only if their application is.
            yield Difference(f"the table {name} is planned and does not exist", is_closed=True)
    for table in there.tables.values():
        wanted = plan.table(table.parent or table.name)
        if table.kind not in _TABLES or wanted is None or not wanted.policies:
            continue
        if not table.has_rls:
            yield Difference(
                f"{table.name} has no row level security",
                f"ALTER TABLE {_name(table.name)} ENABLE ROW LEVEL SECURITY",
                voids_all=True,
            )
        if not table.is_forced:
            yield Difference(
                f"row level security of {table.name} does not bind its owner (FORCE)",
                f"ALTER TABLE {_name(table.name)} FORCE ROW LEVEL SECURITY",
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
    at = _name(table.name)
    found = there.policies.get(table.name, {})
    concerned = _runtime(plan) | {plan.group(OWNER)}
    for name, (is_permissive, _, bound, _, _) in found.items():
        if name not in wanted and is_permissive and concerned & set(bound):
            repair = f"DROP POLICY {_name(name)} ON {at}" if name.startswith("yt_") else None
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
                f"the policy {name} of {table.name} is not the planned one", f"DROP POLICY {_name(name)} ON {at}"
            )
        conditions = (f" USING ({using})" if using is not None else "") + (
            f" WITH CHECK ({check})" if check is not None else ""
        )
        yield Difference(
            f"{table.name} lacks the policy {name}",
            f"CREATE POLICY {_name(name)} ON {at} FOR {policy.command} TO {', '.join(map(_name, groups))}{conditions}",
        )


def _essence(expression: str | None) -> str | None:
    """An expression without what PostgreSQL adds when it shows one: brackets, casts of constants, aliases, schemas."""
    if expression is None:
        return None
    text = re.sub(r"\bAS youtility_tasks_tenant_v1\b|::(text|integer|bigint)\b", "", expression)
    text = re.sub(r"\b\w+\.(?=youtility_tasks_|procrastinate_\w+ )", "", text)
    return re.sub(r"[\s()]", "", text).lower()


# -- rights


def _grants(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    grantees = _runtime(plan) | {plan.group(OWNER)}
    functions = {row[0] for row in there.functions if row[-1]}
    wanted = set(_planned_grants(plan, there, functions))
    found = {
        grant
        for grant in there.grants
        if grant[3] in grantees
        and (grant[0] in {"table", "sequence"} or (grant[0] == "function" and grant[1] in functions))
        # a view is judged as a whole, below
        and not (grant[0] == "table" and there.tables[grant[1]].kind in _VIEWS)
    }
    for kind, name, column, grantee, privilege in sorted(found - wanted, key=_in_order):
        for target in _targets(kind, name, there):
            yield Difference(
                f"{grantee} has {privilege} on {kind} {name}{f' ({column})' if column else ''}, which nobody planned",
                f"REVOKE {privilege}{f' ({_name(column)})' if column else ''} ON {target} FROM {_grantee(grantee)}",
            )
    for kind, name, column, grantee, privilege in sorted(wanted - found, key=_in_order):
        for target in _targets(kind, name, there):
            yield Difference(
                f"{grantee} lacks {privilege} on {kind} {name}{f' ({column})' if column else ''}",
                f"GRANT {privilege}{f' ({_name(column)})' if column else ''} ON {target} TO {_name(grantee)}",
            )


def _in_order(grant: Grant) -> tuple[str, ...]:
    return tuple(each or "" for each in grant)


def _planned_grants(plan: Plan, there: Catalogue, functions: Iterable[str]) -> Iterator[Grant]:
    for table in there.tables.values():
        wanted = plan.table(table.name) if table.parent is None and table.kind in _TABLES else None
        if wanted is None:
            continue
        for part, privileges in wanted.rights.items():
            group = plan.group(part)
            if table.owner == group:
                continue
            for privilege, columns in privileges.items():
                for column in columns or (None,):
                    yield "table", table.name, column, group, privilege
            if "INSERT" in privileges and table.name in there.sequences:
                yield "sequence", table.name, None, group, "USAGE"
    owners = {row[0]: row[3] for row in there.functions}
    for name in functions:
        for part in plan.functions.get(name, ()):
            if owners[name] != plan.group(part):
                yield "function", name, None, plan.group(part), "EXECUTE"


def _targets(kind: str, name: str, there: Catalogue) -> Iterator[str]:
    """What stands after ON: one thing, or every function of the name."""
    if kind == "table":
        yield f"TABLE {_name(name)}"
    elif kind == "sequence":
        for sequence in there.sequences.get(name, ()):
            yield f"SEQUENCE {_name(sequence)}"
    else:
        for row in there.functions:
            if row[0] == name:
                yield f"FUNCTION {row[1]}"


def _functions(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    owner = plan.group(OWNER)
    for name, signature, is_definer, owned_by, search_path, is_ours in there.functions:
        if not is_ours:
            if not search_path:
                yield Difference(
                    f"the function {signature} runs with its owner's rights on whatever search_path its caller has"
                )
            continue
        if is_definer != (name in plan.definers):
            yield Difference(
                f"{name} runs with {'its owner' if is_definer else 'its caller'}'s rights",
                f"ALTER FUNCTION {signature} SECURITY {'INVOKER' if is_definer else 'DEFINER'}",
            )
        if name in plan.definers and owned_by != owner:
            yield Difference(
                f"{name} belongs to {owned_by}, not to {owner}", f"ALTER FUNCTION {signature} OWNER TO {_name(owner)}"
            )
        if name in plan.definers and search_path != f"search_path={there.path}":
            yield Difference(
                f"{name} has no fixed surroundings: it was changed by hand. Restore it from the migration 0011"
            )


def _strangers(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    """What nobody has said anything about."""
    runtime = _runtime(plan)
    for table in there.tables.values():
        if table.kind in _VIEWS:
            readers = sorted(g[3] for g in there.grants if g[:2] == ("table", table.name) and g[3] in runtime)
            if readers and not table.is_invoker:
                yield Difference(
                    f"the view {table.name} shows its owner's rows to {', '.join(sorted(set(readers)))}; right is a view WITH "
                    "(security_invoker = true), and no materialized one"
                )
        elif table.parent is None and plan.table(table.name) is None:
            yield Difference(
                f"the table {table.name} is closed to the web and to tasks: name it in YOUTILITY_TASKS['tenant_tables'], or in "
                "['shared_tables'] if its rows belong to no tenant",
                is_closed=True,
            )
    for kind, name, _, grantee, privilege in sorted(there.grants, key=_in_order):
        if kind == "default" and grantee in runtime and name in {"r", "S"}:
            yield Difference(
                f"new tables give {privilege} to {grantee} (ALTER DEFAULT PRIVILEGES): they would be open from birth"
            )


def _runtime(plan: Plan) -> set[str]:
    """Everybody who might connect and is not to have more than planned."""
    return {_PUBLIC, *plan.logins.values(), *(plan.group(part) for part in GROUPS if part != OWNER)}


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _grantee(name: str) -> str:
    return "PUBLIC" if name == _PUBLIC else _name(name)
