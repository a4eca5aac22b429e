"""Settings as one frozen dataclass, read once from `YOUTILITY_TASKS`; each field with its unit and its reason."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from . import databases
from .errors import ConfigurationError, did_you_mean
from .status import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """How many jobs of one queue run at once: `processes` x `threads` for plain tasks."""

    processes: int = 1
    """Child processes. More of them use more cores; a crash costs only the jobs of its own child."""
    threads: int = 2
    """Sync tasks that one child runs side by side."""
    coroutines: int = 50
    """Async tasks that one child runs side by side."""

    @property
    def slots(self) -> int:
        """Sync tasks of the queue that run at once in one worker."""
        return self.processes * self.threads


_MAY_BE_ZERO = {
    "metrics_tenants",
    "claim_ahead",
    "claim_ahead_ms",
    "retry_delay_factor",
    "soft_limit_grace_s",
    "abort_grace_s",
    "shutdown_grace_s",
    "operation_undo_s",
}


_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_KEY_BYTES = 32


# No repr, since it holds keys; and nobody compares two. Both would be made at each start, of all these fields.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings:
    """`YOUTILITY_TASKS` of the Django settings. Keys that are not listed here are an error."""

    database: str = "default"
    """Alias of the database that holds the queue."""
    direct_database: str | None = None
    """Alias, or DSN, by which workers reach the same database around a pooler. None: they go Django's way."""
    tenant_databases: Mapping[str, Sequence[int] | None] | None = None
    """Alias -> ids of the tenants whose rows and jobs are there; None for one alias means all others. Each is a PostgreSQL of its own
    with workers of its own, whose `database` is that alias. DATABASE_ROUTERS names `youtility_tasks.routers.TenantRouter`."""
    allow_unsafe_database: bool = False
    """For development: run although commits can be lost or the role is a superuser. The worker warns at its start."""
    acknowledged_by: str = "server"
    """Where an enqueue, or an end, is when it is acknowledged. "server": on the disk of the one that answered, so that its crash loses
    nothing. "standby": on a synchronous standby's, too, so that a failover loses nothing; no worker starts where commits wait for none."""
    queues: Mapping[str, Mapping[str, int]] | None = None
    """Queue name -> {"processes": n, "threads": n}. None: the four of `queues.py`."""
    objectives: Mapping[str, Mapping[str, float]] | None = None
    """Queue name -> what of `objectives.Objective` it promises otherwise: {"email": {"start_within_s": 120}}."""

    celery_queues: Mapping[str, str] | None = None
    """Queue of Celery's -> queue of ours, where the names differ: {"celery": "maintenance", "mail": "email"}."""
    membership_resolver: str | None = None
    """Dotted name of a function that tells a user's tenants and roles. None: the table `TenantMembership`."""
    roles: Mapping[str, Mapping[str, str]] | None = None
    """Part ("worker", "task", "web", "ops", "exporter") -> {"USER": ..., "PASSWORD": ...}: who connects as what. None: everybody
    connects as DATABASES says, and nothing in the database keeps tenants apart (development)."""
    role_prefix: str = "tq_"
    """Before the names of the groups that hold the rights: tq_worker, tq_task, ..., tq_owner. They belong to the server."""
    tenant_key: str | None = None
    """Secret that signs tenant tokens. None: derived from SECRET_KEY. Run `setup_task_queue` after a change."""
    token_s: float = 60.0
    """Life of a tenant token; a job's lives as long as its time limit, if that is longer."""
    tenant_tables: Mapping[str, str | Mapping[str, Any]] | None = None
    """The application's tables with a tenant: table -> its column, or {"column": ..., "shared": [values that everybody may
    read]}, or {"through": column, "to": table} for rows that belong to the tenant of another row."""
    shared_tables: Sequence[str] = ("django_*", "auth_*")
    """The application's tables without a tenant that the web and tasks use, as patterns. Any other table is closed to them."""

    max_args_bytes: int = 256 * 1024
    """Largest arguments of one job, as JSON in UTF-8. Larger things belong in a table or a blob."""
    max_args_depth: int = 64
    """Deepest nesting of arguments; Python's own JSON decoder fails near 1,000."""
    max_result_bytes: int = 256 * 1024
    """Largest stored result; a larger one is replaced by a note that says so."""

    retry_delay_factor: float = 1.0
    """Multiplies every wait between attempts; below 1 speeds up demonstrations and tests."""
    max_crashes: int = 3
    """Deaths of its process after which a job becomes a dead letter (design: the poison job is known by name)."""
    max_rescues: int = 10
    """Losses of its whole worker after which a job becomes a dead letter."""

    heartbeat_interval_s: float = 3.0
    """Between two renewals of a worker's lease."""
    lease_s: float = 10.0
    """Silence after which a worker's jobs are rescued by any other worker; at least three renewals long."""
    rescue_interval_s: float = 3.0
    """Between two looks for silent workers."""
    poll_interval_s: float = 5.0
    """Longest wait for work when no notification comes."""
    run_schedules: bool = True
    """Workers fire schedules. Off where another clock than the database's decides: a played day, a copy of production."""
    schedule_poll_s: float = 30.0
    """Longest sleep of a worker between two looks for due schedules; a change, or the next tick, wakes it before."""
    schedules: Mapping[str, Mapping[str, Any] | None] | None = None
    """Name -> what `schedules.create` takes (task, cron, ...): made by `setup_task_queue`, like those that tasks declare. None in
    place of a definition: a declared schedule of that name is not made."""
    statement_deadline_s: float = 5.0
    """Client-side limit of every statement on the queue; then the connection is dropped (a half-open one never answers)."""
    reconnect_cap_s: float = 5.0
    """Longest wait between two attempts to reach the database."""
    claim_batch: int = 200
    """Most jobs taken by one claim."""
    claim_ahead: int = 100
    """Most jobs that wait inside a child for one of its threads; 0 claims no more than can start at once."""
    claim_ahead_ms: float = 50.0
    """Claims reach ahead by so much work, as measured on the jobs before: long tasks are never claimed ahead."""
    recall_s: float = 0.2
    """A job claimed ahead that no thread has begun goes back to the queue when its child reports nothing for so long."""

    soft_limit_grace_s: float = 5.0
    """After the time limit's exception, before the child is killed."""
    abort_grace_s: float = 5.0
    """After an abort was asked for, before the child is killed."""
    shutdown_grace_s: float = 30.0
    """After SIGTERM, before running jobs are handed back."""
    max_jobs_per_child: int = 10_000
    """Jobs after which a child is replaced (between jobs)."""
    max_child_memory_mib: int = 512
    """Resident size after which a child is replaced (between jobs)."""

    api_rate_per_s: float = 20.0
    """Requests a second to the HTTP API that a token, or a session's user, may make on average, over all processes."""
    api_burst: int = 100
    """Requests that they may make at once after a quiet time."""
    api_max_body_bytes: int = 1024 * 1024
    """Largest body of a request; arguments of a job have a limit of their own."""
    api_statement_s: float = 5.0
    """Longest statement of a request; past it the answer is 503."""

    celery_bridge_default: str = "postgres"
    """Where calls of a task go that has no route: "postgres", or "celery" while an application moves."""
    celery_app: str | None = None
    """Dotted name of the Celery application ("project.celery.app"), for processes that do not import it. None: Celery's current one."""
    celery_bridge_ignore: Mapping[str, Sequence[str]] | None = None
    """Task name -> keys of its result that are different each time, and so are not compared: {"make_report": ["id", "path"]}."""

    procrastinate_events: bool = False
    """Write procrastinate's event rows and notifications for jobs enqueued here: three rows a job, a third of the
    database's work, that only its own admin and shell read."""

    secret_keys: Mapping[str, str] | Sequence[tuple[str, str]] | None = field(default=None, repr=False)
    """Key id -> 32 bytes in base64, newest first: the first seals arguments marked `Secret` or `Pii`, all of them open. None:
    one made from SECRET_KEY."""

    history_retention_days: int = 365
    """Whole UTC days that ended attempts are kept; a day that is past it is dropped at once. Dead letters stay."""
    retention_days_by_outcome: Mapping[str, int] | None = None
    """Outcome (`status.Outcome`) -> days, where they differ from `history_retention_days`."""
    retention_days_by_task: Mapping[str, int] | None = None
    """Task name -> days; goes before what is said of the outcome."""
    redrive_retention_days: int = 365
    """Whole UTC days that redrives are kept after their end; those that have not ended stay, and the audit log keeps its rows."""
    history_days_ahead: int = 7
    """Days whose partitions of the history are made ahead; longer than all workers will ever be stopped."""
    metrics_late_hours: float = 24.0
    """An attempt whose transaction commits so long after it ended is still added to its minute and hour; a later one is not. Longer
    looks through more days of the history with each fold."""
    metrics_minute_days: int = 8
    """Days that numbers by the minute are kept; a row for each minute, tenant, queue, task and outcome that there was."""
    metrics_hour_days: int = 400
    """Days that numbers by the hour are kept."""
    metrics_names: int = 200
    """So many tasks, and queues, of this code are told apart in the exporter's totals; all others are `other`."""
    metrics_tenants: int = 0
    """The exporter tells so many tenants apart, those with the lowest ids; all others are `other`. 0: it says nothing of tenants."""
    operation_undo_s: float = 3_600.0
    """After an operation on many jobs has ended it can be undone for so long; 0: never. Upkeep then forgets how its jobs stood."""
    tracing: str | None = None
    """Dotted name of a function that sets OpenTelemetry up in a process, for example
    "youtility_tasks.tracing.setup.from_environment". None: no spans, at no cost."""
    attempt_watchers: Sequence[str] = ()
    """Dotted names of context managers that stand around each attempt in a child, for example a reporter of errors; see
    `workers.watched.Attempt`."""
    metrics_view: bool = False
    """Answer `/metrics` in the web process (`youtility_tasks.exporter.view`): to who shows `metrics_token`, without one to this host alone."""
    metrics_token: str | None = field(default=None, repr=False)
    """What a scrape must show as `Authorization: Bearer ...`, at least 16 characters, to the exporter and the view. None: nothing."""
    upkeep_interval_s: float = 60.0
    """Between two looks of a worker for duties of upkeep that are due; each is done by one worker."""

    @property
    def shortest_retention_days(self) -> int:
        """Before so many days nothing goes."""
        by_outcome, by_task = self.retention_days_by_outcome or {}, self.retention_days_by_task or {}
        return min([self.history_retention_days, *by_outcome.values(), *by_task.values()])

    def kept_days(self, task_name: str) -> int:
        """For so many days an ended attempt of that task is there, whatever its outcome."""
        by_task = self.retention_days_by_task or {}
        if task_name in by_task:
            return by_task[task_name]
        return min([self.history_retention_days, *(self.retention_days_by_outcome or {}).values()])

    @property
    def aliases(self) -> tuple[str, ...]:
        """Of all databases that hold a queue."""
        return (self.database,) if self.tenant_databases is None else tuple(self.tenant_databases)

    def alias_of(self, tenant_id: int) -> str:
        """Where that tenant's rows and jobs are. Raises ConfigurationError for one whom no database has."""
        if self.tenant_databases is None:
            return self.database
        others = None
        for alias, ids in self.tenant_databases.items():
            if ids is None:
                others = alias
            elif tenant_id in ids:
                return alias
        if others is None:
            raise ConfigurationError(
                f"YOUTILITY_TASKS: tenant_databases has no place for tenant {tenant_id}; right is its id in one of "
                f"{', '.join(self.tenant_databases)}, or None as the ids of one alias, which then has all others."
            )
        return others

    def __post_init__(self) -> None:
        for each in fields(self):
            if isinstance(each.default, bool):
                _check_switch(each.name, getattr(self, each.name))
            elif isinstance(each.default, int | float):
                _check_number(each.name, getattr(self, each.name), like=each.default)
        if not isinstance(self.database, str):
            raise ConfigurationError(f"YOUTILITY_TASKS: database is {self.database!r}; right is an alias of DATABASES.")
        if self.direct_database is not None and not isinstance(self.direct_database, str):
            raise ConfigurationError(
                f"YOUTILITY_TASKS: direct_database is {self.direct_database!r}; right is an alias of DATABASES or a DSN."
            )
        _check_tenant_databases(self)
        if self.acknowledged_by not in ("server", "standby"):
            raise ConfigurationError(
                f"YOUTILITY_TASKS: acknowledged_by is {self.acknowledged_by!r}; right is 'server' or 'standby'."
            )
        if self.membership_resolver is not None and not isinstance(self.membership_resolver, str):
            raise ConfigurationError(
                f"YOUTILITY_TASKS: membership_resolver is {self.membership_resolver!r}; right is a dotted name such as "
                "'people.tasks.memberships_of'."
            )
        _check_bridge(self)
        moved = self.celery_queues
        if moved is not None and not (
            isinstance(moved, Mapping) and all(isinstance(each, str) for each in (*moved, *moved.values()))
        ):
            raise ConfigurationError(
                f"YOUTILITY_TASKS: celery_queues is {moved!r:.200}; right is a dict, for example {{'celery': 'maintenance'}}."
            )
        if self.tracing is not None and not (isinstance(self.tracing, str) and "." in self.tracing):
            raise ConfigurationError(
                f"YOUTILITY_TASKS: tracing is {self.tracing!r}; right is None, or a dotted name such as "
                "'youtility_tasks.tracing.setup.from_environment'."
            )
        if not _are_names(self.attempt_watchers):
            raise ConfigurationError(
                f"YOUTILITY_TASKS: attempt_watchers is {self.attempt_watchers!r}; right is a list of dotted names, for example "
                "['people.reporting.watch']."
            )
        token = self.metrics_token
        if token is not None and not (
            isinstance(token, str) and len(token) >= 16 and token.isascii() and token.isprintable()
        ):
            raise ConfigurationError(
                "YOUTILITY_TASKS: metrics_token is no text of at least 16 printable ASCII characters."
            )
        _check_roles(self.roles)
        _check_tenancy(self)
        _check_days("retention_days_by_outcome", self.retention_days_by_outcome, known=[each.value for each in Outcome])
        _check_days("retention_days_by_task", self.retention_days_by_task, known=None)
        _check_secret_keys(self.secret_keys)
        _check_schedules(self.schedules)
        if self.lease_s < 3 * self.heartbeat_interval_s:
            raise ConfigurationError(
                f"YOUTILITY_TASKS: lease_s is {self.lease_s!r} and heartbeat_interval_s {self.heartbeat_interval_s!r}; "
                "a lease must outlast three heartbeats, or healthy workers are rescued. Raise lease_s."
            )


def _check_tenant_databases(given: Settings) -> None:
    spread = given.tenant_databases
    if spread is None:
        return
    is_right = isinstance(spread, Mapping) and all(
        isinstance(alias, str)
        and (ids is None or (isinstance(ids, Sequence | range) and all(type(n) is int for n in ids)))
        for alias, ids in spread.items()
    )
    if not is_right:
        raise ConfigurationError(
            f"YOUTILITY_TASKS: tenant_databases is {spread!r:.200}; right is alias -> ids of tenants, for example "
            "{'default': None, 'north': [7, 8]}."
        )
    named = [tenant_id for ids in spread.values() for tenant_id in ids or ()]
    twice = sorted({tenant_id for tenant_id in named if named.count(tenant_id) > 1})
    if twice or sum(ids is None for ids in spread.values()) > 1:
        who = f"tenant {twice[0]}" if twice else "all others"
        raise ConfigurationError(f"YOUTILITY_TASKS: tenant_databases has {who} in two places; right is one.")
    if given.database not in spread:
        raise ConfigurationError(
            f"YOUTILITY_TASKS: database is {given.database!r}, which tenant_databases does not have; right is one of "
            f"{', '.join(spread)}.{did_you_mean(given.database, list(spread))}"
        )


def _check_bridge(given: Settings) -> None:
    if given.celery_bridge_default not in ("postgres", "celery"):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: celery_bridge_default is {given.celery_bridge_default!r}; right is 'postgres' or 'celery'."
        )
    if given.celery_app is not None and (not isinstance(given.celery_app, str) or "." not in given.celery_app):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: celery_app is {given.celery_app!r}; right is a dotted name such as 'project.celery.app'."
        )
    ignored = given.celery_bridge_ignore
    if ignored is not None and not (
        isinstance(ignored, Mapping) and all(_are_names(each) for each in ignored.values())
    ):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: celery_bridge_ignore is {ignored!r}; right is a dict of task name -> keys, for example "
            "{'make_report': ['id', 'path']}."
        )


def _check_switch(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"YOUTILITY_TASKS: {name} is {value!r}; right is True or False.")


def _check_number(name: str, value: Any, *, like: float) -> None:
    kinds = int if isinstance(like, int) else int | float
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if is_number and (0 < value < float("inf") or (value == 0 and name in _MAY_BE_ZERO)):
        return
    raise ConfigurationError(
        f"YOUTILITY_TASKS: {name} is {value!r}; right is a {'whole number' if isinstance(like, int) else 'number'} "
        f"{'from' if name in _MAY_BE_ZERO else 'above'} 0, for example {like!r}."
    )


def _check_days(name: str, given: object, *, known: Sequence[str] | None) -> None:
    """`known`: the only keys that make sense; None where only the registry could tell, which is not loaded yet."""
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: {name} is {given!r}; right is a dict, for example {{'succeeded': 30}}."
        )
    for key, days in given.items():
        if not isinstance(key, str) or (known is not None and key not in known):
            names = f"; known: {', '.join(sorted(known))}.{did_you_mean(key, known)}" if known else "; right is a name."
            raise ConfigurationError(f"YOUTILITY_TASKS: {name} has the key {key!r}{names}")
        _check_number(f"{name}[{key!r}]", days, like=30)


def _check_schedules(given: object) -> None:
    """Only its form: what a definition says is checked where tasks are known."""
    if given is None:
        return
    is_right = isinstance(given, Mapping) and all(
        isinstance(name, str) and (each is None or (isinstance(each, Mapping) and "task" in each))
        for name, each in given.items()
    )
    if not is_right:
        raise ConfigurationError(
            f"YOUTILITY_TASKS: schedules is {given!r:.200}; right is a dict of name -> {{'task': ..., 'cron': '0 2 * * *', ...}}, or "
            "name -> None for a declared schedule that is not wanted."
        )


PARTS = ("worker", "task", "web", "ops", "exporter")
"""What a connection to the database may be for."""
NEEDED_PARTS = ("worker", "task", "web")
_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,39}")


def _check_roles(given: object) -> None:
    if given is None:
        return
    example = "{'worker': {'USER': 'app_worker', 'PASSWORD': '...'}, 'task': ..., 'web': ...}"
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"YOUTILITY_TASKS: roles is of type {type(given).__name__}; right is {example}.")
    for part, login in given.items():
        if part not in PARTS:
            raise ConfigurationError(
                f"YOUTILITY_TASKS: roles has the key {part!r}; known: {', '.join(PARTS)}.{did_you_mean(part, PARTS)}"
            )
        # The value itself is not shown: it holds a password.
        keys = set(login) if isinstance(login, Mapping) else set()
        if not {"USER"} <= keys <= {"USER", "PASSWORD"} or not all(isinstance(each, str) for each in login.values()):
            raise ConfigurationError(
                f"YOUTILITY_TASKS: roles[{part!r}] has {sorted(map(str, keys)) or 'no keys'}; right are USER and PASSWORD, as text."
            )
    lacking = [part for part in NEEDED_PARTS if part not in given]
    if lacking:
        raise ConfigurationError(f"YOUTILITY_TASKS: roles lacks {', '.join(lacking)}; right is {example}.")
    users = [login["USER"] for login in given.values()]
    if len(set(users)) < len(users) or "" in users:
        raise ConfigurationError(
            f"YOUTILITY_TASKS: roles names the users {users!r}; right is another one for each part: what one may, another may not."
        )


def _check_tenancy(given: Settings) -> None:
    if not isinstance(given.role_prefix, str) or not _PREFIX.fullmatch(given.role_prefix):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: role_prefix is {given.role_prefix!r}; right are small letters, digits and _, for example 'tq_'."
        )
    if given.tenant_key is not None and (not isinstance(given.tenant_key, str) or len(given.tenant_key) < 32):
        raise ConfigurationError("YOUTILITY_TASKS: tenant_key is no text of at least 32 characters.")
    if not _are_names(given.shared_tables):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: shared_tables is {given.shared_tables!r}; right is a list of names, for example ['auth_*']."
        )
    if given.tenant_tables is not None and not isinstance(given.tenant_tables, Mapping):
        raise ConfigurationError(
            f"YOUTILITY_TASKS: tenant_tables is {given.tenant_tables!r}; right is a dict, for example {{'ticket': 'client_id'}}."
        )


def _are_names(given: object) -> bool:
    return (
        isinstance(given, Sequence)
        and not isinstance(given, str)
        and all(isinstance(each, str) and each for each in given)
    )


def _check_secret_keys(given: object) -> None:
    """Never shows a key; its place is enough."""
    if given is None:
        return
    says = "YOUTILITY_TASKS: secret_keys"
    make = """`python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"` makes one"""
    pairs = list(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(pairs, list | tuple) or not pairs or not all(_is_pair(each) for each in pairs):
        raise ConfigurationError(
            f"{says} is {type(given).__name__}; right is a dict of key id -> 32 bytes in base64, newest first, or a list of such "
            f"pairs, with at least one; {make}."
        )
    for n, (key_id, text) in enumerate(pairs):
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id) or key_id.startswith("django-"):
            raise ConfigurationError(
                f"{says}: the id of key {n + 1} is no id; right is 1 to 32 letters, digits, '.', '_' or '-', not beginning with "
                "'django-', for example '2026-11'."
            )
        try:
            size = len(base64.b64decode(text, validate=True)) if isinstance(text, str) else None
        except (binascii.Error, ValueError):
            size = None
        if size != _KEY_BYTES:
            found = "no base64" if size is None else f"base64 of {size} bytes"
            raise ConfigurationError(f"{says}[{key_id!r}] is {found}; right is base64 of {_KEY_BYTES} bytes; {make}.")
    if len({key_id for key_id, _ in pairs}) < len(pairs):
        raise ConfigurationError(f"{says} names one id twice; right is an id of its own for each key.")


def _is_pair(given: object) -> bool:
    return isinstance(given, list | tuple) and len(given) == 2


def _from_django() -> Settings:
    given: Mapping[str, Any] = getattr(django_settings, "YOUTILITY_TASKS", {})
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"YOUTILITY_TASKS is {given!r}; right is a dict, for example {{'lease_s': 10.0}}.")
    known = {f.name for f in fields(Settings)}
    for key in given:
        if key not in known:
            raise ConfigurationError(
                f"YOUTILITY_TASKS has no key {key!r}; known: {', '.join(sorted(known))}.{did_you_mean(key, known)}"
            )
    return Settings(**given)


@functools.cache
def _read() -> Settings:
    return _from_django()


@functools.cache
def _read_at(alias: str) -> Settings:
    """As they are where another of the databases is worked on; the way around a pooler is that of the main one alone."""
    main = _read()
    return main if alias == main.database else replace(main, database=alias, direct_database=None)


def settings() -> Settings:
    """The settings, read once; their `database` is that of the context.

    Raises ConfigurationError for a key that does not exist, with the nearest one that does.
    """
    alias = databases.here.get()
    return _read() if alias is None else _read_at(alias)


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting == "YOUTILITY_TASKS":
        _read.cache_clear()
        _read_at.cache_clear()


setting_changed.connect(_forget, dispatch_uid="youtility_tasks.conf")
