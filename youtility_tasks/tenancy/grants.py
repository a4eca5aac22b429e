"""Compares what is granted, and to whom functions lend their rights, with the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .catalogue import Catalogue, Grant, quoted
from .difference import TABLES, VIEWS, Difference, grantee_of, in_order, runtime
from .rights import OWNER, Plan


def grants(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    """Rights on tables, columns, sequences and functions that somebody has and nobody planned, or the other way round."""
    grantees = runtime(plan) | {plan.group(OWNER)}
    functions = {row[0] for row in there.functions if row[-1]}
    wanted = set(_planned_grants(plan, there, functions))
    found = {
        grant
        for grant in there.grants
        if grant[3] in grantees
        and (grant[0] in {"table", "sequence"} or (grant[0] == "function" and grant[1] in functions))
        # a view is judged as a whole, below
        and not (grant[0] == "table" and there.tables[grant[1]].kind in VIEWS)
    }
    for kind, name, column, grantee, privilege in sorted(found - wanted, key=in_order):
        for target in _targets(kind, name, there):
            yield Difference(
                f"{grantee} has {privilege} on {kind} {name}{f' ({column})' if column else ''}, which nobody planned",
                f"REVOKE {privilege}{f' ({quoted(column)})' if column else ''} ON {target} FROM {grantee_of(grantee)}",
            )
    for kind, name, column, grantee, privilege in sorted(wanted - found, key=in_order):
        for target in _targets(kind, name, there):
            yield Difference(
                f"{grantee} lacks {privilege} on {kind} {name}{f' ({column})' if column else ''}",
                f"GRANT {privilege}{f' ({quoted(column)})' if column else ''} ON {target} TO {quoted(grantee)}",
            )


def _planned_grants(plan: Plan, there: Catalogue, functions: Iterable[str]) -> Iterator[Grant]:
    for table in there.tables.values():
        wanted = plan.table(table.name) if table.parent is None and table.kind in TABLES else None
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
        yield f"TABLE {quoted(name)}"
    elif kind == "sequence":
        for sequence in there.sequences.get(name, ()):
            yield f"SEQUENCE {quoted(sequence)}"
    else:
        for row in there.functions:
            if row[0] == name:
                yield f"FUNCTION {row[1]}"


_MADE_BY = {
    "youtility_tasks_enter_v1": "0019",
    **dict.fromkeys(("youtility_tasks_guard_v1", "youtility_tasks_owe_v1"), "0030"),
    "youtility_tasks_wake_v1": "0053",
}
"""Functions with their owner's rights that another migration than 0015 gives their surroundings."""


def functions(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    """Functions that run with other rights than planned, or belong to somebody else."""
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
                f"{name} belongs to {owned_by}, not to {owner}", f"ALTER FUNCTION {signature} OWNER TO {quoted(owner)}"
            )
        if name in plan.definers and search_path != f"search_path={there.path}":
            yield Difference(
                f"{name} has no fixed surroundings: it was changed by hand. Restore it from the migration "
                f"{_MADE_BY.get(name, '0015')}"
            )


def strangers(plan: Plan, there: Catalogue) -> Iterator[Difference]:
    """What nobody has said anything about."""
    anybody = runtime(plan)
    for table in there.tables.values():
        if table.kind in VIEWS:
            readers = sorted(g[3] for g in there.grants if g[:2] == ("table", table.name) and g[3] in anybody)
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
    for kind, name, _, grantee, privilege in sorted(there.grants, key=in_order):
        if kind == "default" and grantee in anybody and name in {"r", "S"}:
            yield Difference(
                f"new tables give {privilege} to {grantee} (ALTER DEFAULT PRIVILEGES): they would be open from birth"
            )
