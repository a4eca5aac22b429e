"""Who may do what with which table, as data: the only place that says so. `check` compares a database with it.

Rights belong to groups without a login (`<role_prefix>worker`, ...), one for each part that a connection plays; a login is
a member of exactly one. `owner` is a group too: functions that do what their callers may not run with its rights.
A table that is named nowhere here is closed to all of them.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps

from youtility_tasks.conf import PARTS, settings
from youtility_tasks.errors import ConfigurationError

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
            return Table(name, _each(USERS, _READ_AND_WRITE))
        return found


def _each(parts: Iterable[str], privileges: Privileges) -> dict[str, Privileges]:
    return {part: privileges for part in parts}


_READ_AND_WRITE: Privileges = {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE", "DELETE")}
_READ: Privileges = {"SELECT": ALL_COLUMNS}


def _own(column: str) -> str:
    return f"{column} = {TENANT}"


PATH = "{path}"
"""Stands for the search_path of functions that run with their owner's rights; it names the schema that the tables are in."""
# Who owns a table is bound too: he sees rows inside those functions only, and there no more than the tenant of the
# transaction may, if it has one, whatever the function forgets to ask.
_INSIDE = f"current_setting('search_path') = '{PATH}'"
_LENT = f"{_INSIDE} AND coalesce(tenant_id = {TENANT}, true)"
# procrastinate compares locks over the whole table, so a tenant may only take those that begin with its name. Ids it may not
# name at all: by trying one it would learn whether another has it, and by taking one that is yet to be drawn be in his way.
_OWN_LOCKS = (
    f"{_own('tenant_id')} AND coalesce(starts_with(lock, tenant_id || ':'), true)"
    " AND coalesce(starts_with(queueing_lock, tenant_id || ':'), true)"
)
# Nor may it stand before everybody's most urgent job, or wait until an instant that no client can read.
_IN_BOUNDS = (
    "priority <= 10 AND coalesce(date_part('year', scheduled_at) >= 1::double precision, true)"
    " AND coalesce(date_part('year', scheduled_at) <= 9998::double precision, true)"
)
_AT_ONCE = "at >= transaction_timestamp() AND at <= clock_timestamp()"
_OF_OWN_JOB = "EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = procrastinate_events.job_id)"

_JOB_METADATA = (
    "id", "queue_name", "task_name", "priority", "lock", "queueing_lock", "status", "scheduled_at", "attempts",
    "abort_requested", "worker_id", "tenant_id", "enqueued_at", "claim_number", "claimed_at", "failed_at", "crash_count",
    "rescue_count", "unique_key", "noted", "parked_by",
)  # fmt: skip
_ATTEMPT_METADATA = (
    "id", "job_id", "task_name", "queue_name", "tenant_id", "priority", "attempt", "claim_number", "worker_id", "host", "pid",
    "enqueued_at", "scheduled_at", "started_at", "finished_at", "wait_ms", "run_ms", "cpu_ms", "peak_memory_kib", "status",
    "outcome", "is_final", "error_class",
)  # fmt: skip
"""Without arguments, result, output, and what an error says: that is the tenant's."""
_EFFECT_METADATA = ("id", "tenant_id", "task_name", "status", "job_id", "lease_until", "created_at", "done_at")

_MEMBERSHIP = ("tenant_id", "user_id", "role", "created_at")
_CONTROL = (
    "queue_name", "task_name", "tenant_id", "max_running", "rate_per_s", "burst", "is_paused", "paused_until", "paused_at",
    "paused_by", "reason", "changed_at", "changed_by", "tokens", "refilled_at",
)  # fmt: skip
_AUDIT = ("at", "actor", "act", "target", "tenant_id", "reason", "before", "after")

_HOUSE = (
    Table(
        JOBS,
        {
            WORKER: {
                "SELECT": ALL_COLUMNS,
                "UPDATE": (
                    "status",
                    "worker_id",
                    "claim_number",
                    "claimed_at",
                    "attempts",
                    "crash_count",
                    "rescue_count",
                    "scheduled_at",
                    "failed_at",
                    "abort_requested",
                    "queueing_lock",
                    "parked_by",
                ),
                "DELETE": ALL_COLUMNS,
            },
            **_each(
                USERS,
                {
                    "SELECT": ALL_COLUMNS,
                    "INSERT": (
                        "queue_name",
                        "task_name",
                        "priority",
                        "lock",
                        "queueing_lock",
                        "args",
                        "scheduled_at",
                        "unique_key",
                        "tenant_id",
                        "noted",
                    ),
                },
            ),
            OPS: {"SELECT": _JOB_METADATA},
            OWNER: {each: ALL_COLUMNS for each in ("SELECT", "UPDATE", "DELETE")},
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "SELECT", _own("tenant_id")),
            Policy("yt_own_new", USERS, "INSERT", None, f"{_OWN_LOCKS} AND {_IN_BOUNDS}"),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
    ),
    Table(
        "procrastinate_events",
        {
            WORKER: {"SELECT": ALL_COLUMNS, "INSERT": ALL_COLUMNS},
            **_each(USERS, {"SELECT": ALL_COLUMNS, "INSERT": ("job_id", "type", "at")}),
            OWNER: {"SELECT": ALL_COLUMNS, "INSERT": ALL_COLUMNS},
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            Policy("yt_own", USERS, "SELECT", _OF_OWN_JOB),
            Policy("yt_own_new", USERS, "INSERT", None, _OF_OWN_JOB),
            Policy("yt_owner", (OWNER,), "ALL", _INSIDE),
        ),
    ),
    Table(
        "procrastinate_workers",
        {WORKER: {**_READ, "INSERT": ALL_COLUMNS, "UPDATE": ("last_heartbeat",), "DELETE": ALL_COLUMNS}, OPS: _READ},
    ),
    Table(
        "procrastinate_periodic_defers",
        _each((WORKER, OWNER), {"SELECT": ALL_COLUMNS, "UPDATE": ("job_id",)}),
    ),
    Table(
        HISTORY,
        {WORKER: {"INSERT": ALL_COLUMNS}, **_each(USERS, _READ), OPS: {"SELECT": _ATTEMPT_METADATA}},
        (
            Policy("yt_worker", (WORKER,), "INSERT", None, "true"),
            Policy("yt_own", USERS, "SELECT", _own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "ALL", _LENT),
        ),
        owned=True,
    ),
    Table(
        "youtility_tasks_taskeffect",
        {
            **_each(
                USERS,
                {
                    "SELECT": ALL_COLUMNS,
                    "INSERT": (
                        "tenant_id",
                        "key",
                        "task_name",
                        "bu_id",
                        "status",
                        "job_id",
                        "lease_until",
                        "payload",
                        "note",
                        "created_at",
                        "done_at",
                    ),
                    "UPDATE": ("status", "job_id", "lease_until", "payload", "note", "done_at"),
                    "DELETE": ALL_COLUMNS,
                },
            ),
            OPS: {"SELECT": _EFFECT_METADATA},
        },
        (
            Policy("yt_own", USERS, "ALL", _own("tenant_id")),
            Policy("yt_ops", (OPS,), "SELECT", "true"),
        ),
    ),
    Table(
        "youtility_tasks_tenant",
        {
            WORKER: {"SELECT": ("id", "is_active", "weight", "deactivated_at")},
            **_each((TASK, OWNER), _READ),
            # A tenant's share beside others, and whether it works at all, are not its own to say.
            WEB: {**_READ, "INSERT": ALL_COLUMNS, "UPDATE": ("name",)},
            OPS: {
                **_READ,
                "INSERT": ALL_COLUMNS,
                "UPDATE": ("name", "is_active", "weight", "deactivated_at", "deactivated_reason"),
            },
        },
        (
            Policy("yt_worker", (WORKER,), "SELECT", "true"),
            Policy("yt_owner", (OWNER,), "SELECT", _INSIDE),
            # A sweep lists the tenants, to enter each of them.
            Policy("yt_own", USERS, "SELECT", f"{_own('id')} OR {TENANT} = 0"),
            Policy("yt_own_new", (WEB,), "INSERT", None, _own("id")),
            Policy("yt_own_changed", (WEB,), "UPDATE", _own("id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_tenantmembership",
        {
            TASK: _READ,
            **_each(
                (WEB, OPS),
                {**_READ, "INSERT": _MEMBERSHIP, "UPDATE": _MEMBERSHIP, "DELETE": ALL_COLUMNS},
            ),
        },
        (
            # Who somebody is must be known before for which tenant he acts.
            Policy("yt_own", USERS, "SELECT", f"{_own('tenant_id')} OR {TENANT} = 0"),
            Policy("yt_own_changed", (WEB,), "ALL", _own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_queuecontrol",
        {
            WORKER: {**_READ, "UPDATE": ("tokens", "refilled_at"), "DELETE": ALL_COLUMNS},
            TASK: _READ,
            **_each((WEB, OPS), {**_READ, "INSERT": _CONTROL, "UPDATE": _CONTROL}),
        },
        (
            Policy("yt_worker", (WORKER,), "ALL", "true"),
            # What is set for all tenants keeps each of them, and each may learn why his job waits.
            Policy("yt_own", USERS, "SELECT", f"{_own('tenant_id')} OR tenant_id IS NULL"),
            Policy("yt_own_changed", (WEB,), "ALL", _own("tenant_id")),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_taskauditlog",
        {**_each((TASK, WEB, OPS), {"SELECT": ALL_COLUMNS, "INSERT": _AUDIT})},
        (
            Policy("yt_own", USERS, "SELECT", _own("tenant_id")),
            Policy("yt_own_new", USERS, "INSERT", None, f"{_own('tenant_id')} AND {_AT_ONCE}"),
            Policy("yt_ops", (OPS,), "ALL", "true"),
        ),
    ),
    Table(
        "youtility_tasks_taskworker",
        {
            WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")},
            OPS: _READ,
            OWNER: {"SELECT": ALL_COLUMNS, "UPDATE": ("status",), "DELETE": ALL_COLUMNS},
        },
    ),
    Table(
        "youtility_tasks_queuecounter",
        {WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")}, OPS: _READ},
    ),
    Table(
        "youtility_tasks_upkeepduty",
        {WORKER: {each: ALL_COLUMNS for each in ("SELECT", "INSERT", "UPDATE")}, OPS: _READ},
    ),
    Table("youtility_tasks_keys", {}, owned=True),
    Table("django_migrations", _each((WORKER, *USERS, OPS), _READ)),
)

_ACTS = ("youtility_tasks_cancel_v1", "youtility_tasks_abort_v1", "youtility_tasks_retry_v1")
_OF_REASONS = (
    "youtility_tasks_before_v1",
    "youtility_tasks_controls_v1",
    "youtility_tasks_parked_before_v1",
    "youtility_tasks_parked_v1",
    "youtility_tasks_tenants_ready_v1",
)
"""Why a job waits; each part sees no more rows in them than anywhere else."""
_OF_THE_WORKER = (
    "youtility_tasks_claim_v1", "youtility_tasks_claim_v2", "youtility_tasks_claim_limited_v1", "youtility_tasks_due_v1", "youtility_tasks_forget_control_v1", "youtility_tasks_unpark_v1",
    "youtility_tasks_floors_after_v1", "youtility_tasks_locks_v1", "youtility_tasks_ready_v1", "youtility_tasks_turns_after_v1",
    "youtility_tasks_turns_v1", "youtility_tasks_enter_strays_v1", "youtility_tasks_finish_v1",
    "youtility_tasks_finish_v2", "youtility_tasks_first_of_locks_v1", "youtility_tasks_give_back_v1",
    "youtility_tasks_lock_heads_v2", "youtility_tasks_next_due_v1", "youtility_tasks_pump_v1", "youtility_tasks_pump_v2", "youtility_tasks_pump_v3", "youtility_tasks_register_v1",
    "youtility_tasks_register_v2", "youtility_tasks_renew_v1", "youtility_tasks_rescue_all_v1", "youtility_tasks_rescue_v1",
    "youtility_tasks_unregister_v1", "youtility_tasks_add_history_day_v1",
)  # fmt: skip
_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_OF_THE_WORKER, (WORKER,)),
    **dict.fromkeys(_ACTS, (*USERS, OPS)),
    **dict.fromkeys(_OF_REASONS, (WORKER, *USERS, OPS)),
    "youtility_tasks_any_tenant_v1": (OPS,),
    "youtility_tasks_enqueue_v1": USERS,
    "youtility_tasks_enqueue_one_v1": USERS,
    "youtility_tasks_enqueue_signed_v1": USERS,
    "youtility_tasks_tenant_v1": USERS,
    "youtility_tasks_history_gaps_v1": (WORKER, OPS),
    "youtility_tasks_history_days_v1": (OWNER,),
    "youtility_tasks_keep_days_v1": (OWNER,),
    "youtility_tasks_queue_sums_v1": (OPS, EXPORTER),
    "youtility_tasks_sealed_keys_v1": (OPS,),
    "get_queue_statistics": (*USERS, OPS, OWNER),
    "youtility_tasks_stop_stragglers_v1": (WORKER,),
    "cleanup_old_tasks": (WORKER, OPS),
}
_DEFINERS = frozenset(
    {
        *_ACTS,
        "youtility_tasks_scope_v1",
        "youtility_tasks_tenant_v1",
        "youtility_tasks_queue_sums_v1",
        "youtility_tasks_sealed_keys_v1",
        "youtility_tasks_history_gaps_v1",
        "youtility_tasks_add_history_day_v1",
        "youtility_tasks_drop_history_day_v1",
        "youtility_tasks_stop_stragglers_v1",
        "youtility_tasks_keep_tenant_v1",
        "cleanup_old_tasks",
    }
)


def plan() -> Plan:
    """The plan of the present settings and installed applications. Raises ConfigurationError for a table declared wrongly."""
    roles = settings().roles or {}
    tables = {table.name: table for table in _HOUSE}
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
        functions=_FUNCTIONS,
        definers=_DEFINERS,
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
    return Table(name, _each(USERS, _READ_AND_WRITE), policies)


def _conditions(name: str, declared: Any) -> tuple[str, str | None]:
    """When a row is the tenant's own, and when it is everybody's to read."""
    match declared:
        case str(column):
            return _own(_quoted(column)), None
        case {"column": str(column), "shared": list() | tuple() as values, **rest} if not rest:
            return _own(_quoted(column)), " OR ".join(_is(_quoted(column), value) for value in values)
        case {"through": str(column), "to": str(table), **rest} if not rest:
            pointed_at = f"p.id = {_quoted(name)}.{_quoted(column)}"
            return f"EXISTS (SELECT 1 FROM {_quoted(table)} p WHERE {pointed_at})", None  # noqa: S608 - names, checked
        case {"where": str(text), **rest} if "{tenant}" in text and rest.keys() <= {"shared_where"}:
            shared = rest.get("shared_where")
            return text.replace("{tenant}", TENANT), None if shared is None else str(shared)
    raise ConfigurationError(
        f"YOUTILITY_TASKS: tenant_tables[{name!r}] is {declared!r}; right is a column, {{'column': ..., 'shared': [...]}}, "
        "{'through': column, 'to': table} or {'where': condition with {tenant}}."
    )


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
