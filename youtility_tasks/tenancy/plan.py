"""The plan of an installation: the house's tables and functions, the application's, and the users of its parts.

`check` compares a database with it. A table that is named nowhere in it is closed to all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps

from youtility_tasks.conf import PARTS, settings
from youtility_tasks.errors import ConfigurationError

from . import house
from .rights import READ_AND_WRITE, TENANT, USERS, Plan, Policy, Table, each_of, own


def plan() -> Plan:
    """The plan of the present settings and installed applications. Raises ConfigurationError for a table declared wrongly."""
    roles = settings().roles or {}
    tables = {table.name: table for table in house.TABLES}
    for name, declared in _declared().items():
        if name in tables:
            raise ConfigurationError(
                f"YOUTILITY_TASKS: tenant_tables names {name!r}, which the house itself keeps apart."
            )
        tables[name] = _of_application(name, declared)
    return Plan(
        prefix=settings().role_prefix,
        logins={part: roles[part]["USER"] for part in PARTS if part in roles},
        tables=tables,
        functions=house.FUNCTIONS,
        definers=house.DEFINERS,
        shared=[*settings().shared_tables, *_of_apps("youtility_shared_tables")],
    )


def _declared() -> dict[str, Any]:
    """What the installed applications say of their tables (`AppConfig.youtility_tenant_tables`), then the settings."""
    found: dict[str, Any] = {}
    for config in apps.get_app_configs():
        found.update(getattr(config, "youtility_tenant_tables", {}))
    return {**found, **(settings().tenant_tables or {})}


def _of_apps(name: str) -> Iterable[str]:
    for config in apps.get_app_configs():
        yield from getattr(config, name, ())


def _of_application(name: str, declared: Any) -> Table:
    own, shared = _conditions(name, declared)
    policies = [Policy("yt_own", USERS, "ALL", own)]
    if shared:
        policies.append(Policy("yt_shared", USERS, "SELECT", shared))
    return Table(name, each_of(USERS, READ_AND_WRITE), policies)


def _conditions(name: str, declared: Any, at: str = "") -> tuple[str, str | None]:
    """When a row is the tenant's own, and when it is everybody's to read. `at`: what the row is called where that is asked."""
    dot = f"{at}." if at else ""
    match declared:
        case str(column):
            return own(dot + _quoted(column)), None
        case {"column": str(column), "shared": list() | tuple() as values, **rest} if not rest:
            return own(dot + _quoted(column)), " OR ".join(_is(_quoted(column), value) for value in values)
        case {"through": str(column), "to": str(table), **rest} if not rest:
            return _through(at or _quoted(name), column, table, alias=f"{at}p" if at else "p"), None
        case {"where": str(text), **rest} if "{tenant}" in text and rest.keys() <= {"shared_where"}:
            shared = rest.get("shared_where")
            return text.replace("{tenant}", TENANT), None if shared is None else str(shared)
    raise ConfigurationError(
        f"YOUTILITY_TASKS: tenant_tables[{name!r}] is {declared!r}; right is a column, {{'column': ..., 'shared': [...]}}, "
        "{'through': column, 'to': table} or {'where': condition with {tenant}}."
    )


def _through(at: str, column: str, table: str, *, alias: str) -> str:
    """That a row points at one of the tenant's own; what points at a row that all may read, as the one that stands for none, is nobody's."""
    pointed_at = f"{alias}.id = {at}.{_quoted(column)}"
    declared = _declared().get(table)
    if declared is not None:
        pointed_at += f" AND ({_conditions(table, declared, alias)[0]})"
    return f"EXISTS (SELECT 1 FROM {_quoted(table)} {alias} WHERE {pointed_at})"  # noqa: S608 - names, checked


def _is(column: str, value: Any) -> str:
    if value is None:
        return f"{column} IS NULL"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{column} = {value}"
    raise ConfigurationError(
        f"YOUTILITY_TASKS: tenant_tables shares rows whose {column} is {value!r}; right is None or a number."
    )


def _quoted(name: str) -> str:
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise ConfigurationError(
            f"YOUTILITY_TASKS: tenant_tables has the name {name!r}; right are letters, digits and _."
        )
    return name if name == name.lower() and not name[0].isdigit() else f'"{name}"'
