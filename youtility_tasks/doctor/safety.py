"""Whether a worker may run on this database, as this role and by this way. What it promises stands on that."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import transaction

from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.errors import (
    CommitsCanBeLost,
    NoStandby,
    RoleTooPowerful,
    TenantsNotApart,
    TransactionPooler,
    UnsafeDatabase,
    WrongDirectDatabase,
)

from .finding import Finding

DEADLINE_S = 15.0
SECOND_SESSION_S = 5.0
"""How long a pooler may take for a second session; a worker itself needs two."""

ONE_ROLE = (
    "the setting roles is None: everything connects as one role, and nothing in the database keeps one tenant from another's "
    "rows. Set YOUTILITY_TASKS['roles'] and run `setup_task_queue`."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Session:
    pid: int
    synchronous_commit: str
    fsync: str
    role: str
    is_superuser: bool
    bypasses_rls: bool
    database: str
    standbys: str = ""


def refuse_unsafe_database(first: Callable[[], None] = lambda: None) -> None:
    """Raise the first reason why a worker must not run here; with `allow_unsafe_database`, say all that it allows.

    `first` is called before, where all statements go a worker's way. Raises what it raises, UnsafeDatabase, ConfigurationError, or the driver's OperationalError if the database does not answer.
    """
    never, unless_allowed = reasons(first)
    if never:
        raise never[0]
    if unless_allowed and not settings().allow_unsafe_database:
        raise unless_allowed[0]
    said = [f"allow_unsafe_database is set: {' '.join(map(str, unless_allowed))}"] if unless_allowed else []
    said += [ONE_ROLE] if settings().roles is None else []
    if said:
        logger.warning("NOT FOR PRODUCTION, %s", " And ".join(said))


def refuse_transaction_pooler() -> None:
    """Raise TransactionPooler if the workers' way shares its sessions; nothing else is asked of a database to be set up."""
    # As who migrates: the workers' own user may be one that this set-up is about to make.
    _, seen = _workers_way(part=None)
    if seen:
        raise TransactionPooler(seen)


def reasons(first: Callable[[], None] = lambda: None) -> tuple[list[UnsafeDatabase], list[UnsafeDatabase]]:
    """Why a worker cannot run here at all, and why it may only with `allow_unsafe_database`; `first` as above."""
    own, pooler = _workers_way(first=first)
    never: list[UnsafeDatabase] = [TransactionPooler(pooler)] if pooler else []
    if settings().roles is not None:
        apart = tenants_not_apart()
        never += [apart] if apart else []
    sessions = [own]
    if settings().direct_database is not None:
        with transaction.atomic(using=settings().database):
            through_django = _look()
        sessions.append(through_django)
        if through_django.database != own.database:
            never.append(WrongDirectDatabase(own.database, through_django.database))
    # Both ways count: one acknowledges what is enqueued, the other what has ended.
    return never, list({str(each): each for session in sessions for each in _weaknesses(session)}.values())


def tenants_not_apart() -> TenantsNotApart | None:
    """Why nothing may rely on this database to keep tenants apart, if the setting `roles` says that it shall."""
    with transaction.atomic(using=settings().database):
        found = _open_doors()
    return TenantsNotApart(found) if found else None


def database_is_safe() -> Finding:
    """The doctor's look."""
    never, unless_allowed = reasons()
    if never or (unless_allowed and not settings().allow_unsafe_database):
        problems = " ".join(str(each) for each in [*never, *unless_allowed])
        return Finding(
            "safety", False, problems, "Until then no worker starts. For development: allow_unsafe_database = True."
        )
    if unless_allowed:
        weak = " ".join(str(each).split(";")[0] + "." for each in unless_allowed)
        return Finding("safety", True, f"for development only (allow_unsafe_database): {weak}")
    return Finding("safety", True, "commits last, the role is bound by row level security, sessions are direct")


def tenants_are_apart() -> Finding:
    """The doctor's look at roles, rights and policies."""
    if settings().roles is None:
        return Finding("tenants", True, f"for development only: {ONE_ROLE}")
    found = _open_doors()
    if found:
        more = f" and {len(found) - 1} more" if found[1:] else ""
        advice = "Run `setup_task_queue`; until then no worker starts. `setup_task_queue --check` lists all."
        return Finding("tenants", False, f"{found[0]}{more}", advice)
    return Finding("tenants", True, "roles, rights and policies are as planned")


def _open_doors() -> list[str]:
    from youtility_tasks.tenancy import check  # only where roles are set

    return check.open_doors()


def _workers_way(
    *, part: str | None = "worker", first: Callable[[], None] = lambda: None
) -> tuple[_Session, str | None]:
    """The session that a worker would have, and what proves that a pooler shares it with others, if one does."""
    with queries.own_connection("youtility check", deadline_s=DEADLINE_S, part=part) as connection:
        first()
        own = _look()
        # A pooler names a session of its own when the connection begins; only then is there more to ask.
        is_relayed = connection.pgconn.backend_pid != own.pid
        return own, _shares_sessions(connection, own.pid, part) if is_relayed else None


def _look() -> _Session:
    return _Session(*queries.fetch("session", {})[0])


def _weaknesses(session: _Session) -> list[UnsafeDatabase]:
    found: list[UnsafeDatabase] = [
        CommitsCanBeLost(name, value)
        for name, value in (("synchronous_commit", session.synchronous_commit), ("fsync", session.fsync))
        if value == "off"
    ]
    if settings().acknowledged_by == "standby":
        if session.synchronous_commit in ("local", "remote_write"):
            found.append(NoStandby("synchronous_commit", session.synchronous_commit, "'on' or 'remote_apply'"))
        if not session.standbys:
            found.append(NoStandby("synchronous_standby_names", "", "for example 'ANY 1 (standby1, standby2)'"))
    if settings().roles is not None:
        return found  # who may be what is a matter of the plan, and so is whoever migrates
    if session.is_superuser:
        found.append(RoleTooPowerful(session.role, "SUPERUSER"))
    elif session.bypasses_rls:
        found.append(RoleTooPowerful(session.role, "BYPASSRLS"))
    return found


def _shares_sessions(first: psycopg.Connection[Any], pid: int, part: str | None) -> str | None:
    """What proves that a pooler gives each transaction another session; None if every connection keeps its own.

    In transaction mode the same connection finds another session at its next statement (when sessions are dealt out in
    turn), or a second one finds the session that was ours, or ours moves while the second holds it. In session mode
    none of that can be.
    """
    if _look().pid != pid:
        return f"one connection met session {pid}, then another"
    began = time.monotonic()
    try:
        with queries.own_connection("youtility check", deadline_s=SECOND_SESSION_S, part=part) as second:
            if _look().pid == pid:
                return f"two connections met in session {pid}"
            with second.transaction():
                _look()
                moved = first.execute("SELECT pg_backend_pid() <> %s", [pid]).fetchone() == (True,)
            return f"one connection met session {pid}, then another" if moved else None
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if time.monotonic() - began < SECOND_SESSION_S:
            raise
        return (
            f"it gave no second session within {SECOND_SESSION_S:.0f} s, and a worker needs two; {type(error).__name__}"
        )
