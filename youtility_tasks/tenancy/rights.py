"""The words in which the plan is written: parts, privileges, policies, tables.

Rights belong to groups without a login (`<role_prefix>worker`, ...), one for each part that a connection plays; a login is
a member of exactly one. `owner` is a group too: functions that do what their callers may not run with its rights.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from youtility_tasks.conf import PARTS

OWNER = "owner"
GROUPS = (*PARTS, OWNER)
WORKER, TASK, WEB, OPS, EXPORTER = PARTS
USERS = (TASK, WEB)
"""The parts that act for one tenant at a time."""

TENANT = "(SELECT youtility_tasks_tenant_v1())"
HISTORY = "youtility_tasks_history"
JOBS = "procrastinate_jobs"

Columns = tuple[str, ...]
ALL_COLUMNS: Columns = ()
Privileges = Mapping[str, Columns]
"""Privilege -> the columns it is for; none named means the table."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of row level security; `check` None means: as `using`, where the command knows a check."""

    name: str
    parts: tuple[str, ...]
    command: str
    using: str | None
    check: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What shall hold of one table. Without policies it has no tenant, and is known to have none."""

    name: str
    rights: Mapping[str, Privileges]
    policies: Sequence[Policy] = ()
    owned: bool = False
    """Belongs to the owner's group, whose functions make and drop its partitions or read it alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything, for this installation's settings."""

    prefix: str
    logins: Mapping[str, str]
    """Part -> the user that connects for it."""
    tables: Mapping[str, Table]
    functions: Mapping[str, tuple[str, ...]]
    """Function -> who may call it; any other function of ours, nobody."""
    definers: frozenset[str]
    """Functions that run with their owner's rights."""
    shared: Sequence[str] = field(default=())
    """Patterns of the application's tables without a tenant."""

    def group(self, part: str) -> str:
        """The name of the group that holds a part's rights."""
        return self.prefix + part

    def table(self, name: str) -> Table | None:
        """What is planned for a table; None for one that nobody has named."""
        found = self.tables.get(name)
        if found is None and any(fnmatch.fnmatchcase(name, pattern) for pattern in self.shared):
            return Table(name, each_of(USERS, READ_AND_WRITE))
        return found


def each_of(parts: Iterable[str], privileges: Privileges) -> dict[str, Privileges]:
    """The same for each of these parts."""
    return {part: privileges for part in parts}


READ_AND_WRITE: Privileges = {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")}
READ: Privileges = {"SELECT": ALL_COLUMNS}


def own(column: str) -> str:
    """The condition that a row is the acting tenant's."""
    return f"{column} = {TENANT}"


PATH = "{path}"
"""Stands for the search_path of functions that run with their owner's rights; it names the schema that the tables are in."""
