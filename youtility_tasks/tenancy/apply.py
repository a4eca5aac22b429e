"""Makes the plan true: runs what `check` says would repair each difference, until none is left that SQL can repair."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import psycopg
from django.db import DatabaseError, ProgrammingError, connections, transaction

from youtility_tasks import queries
from youtility_tasks.conf import settings

from . import check, token
from .difference import Difference
from .plan import plan
from .rights import Plan

logger = logging.getLogger(__name__)

_ROUNDS = 5
"""A repair shows the next: a role that was missing has no rights yet."""
_FORBIDDEN = {"42501", "0LP01", "42704"}
"""What PostgreSQL says to who may not, and then of the role that was not made."""


@dataclass(slots=True)
class Applied:
    """What was done, and what this session was not allowed to do: SQL for whoever administers the database."""

    done: list[str] = field(default_factory=list)
    for_the_dba: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What is still not as planned."""


def make_true(*, retire_keys: bool = False) -> Applied:
    """Make roles, ownership, policies and grants what the plan says and install the signing key; twice changes nothing.

    Needs the role that migrates. What takes the right to make roles and is refused is handed back as SQL. Raises the
    database's error for anything else; then nothing of that step was done.
    """
    wanted = plan()
    applied = Applied()
    for _ in range(_ROUNDS):
        refused = _make_roles(wanted, applied)
        done = _repair_as_owner(wanted) if not refused else []
        applied.done += done
        if not done:
            break
    if not applied.for_the_dba:
        applied.done += _install_key(retire=retire_keys)
    applied.left = [each.says for each in check.differences(wanted, as_migrator=True)]
    return applied


def _make_roles(wanted: Plan, applied: Applied) -> bool:
    """Whether some of it was refused. One statement after the other: each shows what the next can build on."""
    refused: list[str] = []
    tried: set[str] = set()
    for _ in range(_ROUNDS):
        todo = [each for each in check.differences(wanted, as_migrator=True) if each.by == "roles" and each.repair]
        todo = [each for each in todo if each.repair not in refused]
        if not todo:
            break
        for each in todo:
            statement = str(each.repair)
            if statement in tried:  # to take away what somebody else has granted is refused by a warning only
                refused.append(statement)
                applied.done.remove(each.says)
                continue
            tried.add(statement)
            try:
                with transaction.atomic(using=settings().database):
                    _run(statement)
                    if each.new_login is not None:
                        _set_password(each)
            except ProgrammingError as error:
                if getattr(error.__cause__, "sqlstate", None) not in _FORBIDDEN:
                    raise
                refused.append(statement)
            else:
                applied.done.append(each.says)
    applied.for_the_dba = [f"{statement};" for statement in refused]
    return bool(refused)


def _set_password(made: Difference) -> None:
    login = (settings().roles or {})[made.new_login or ""]
    if not login.get("PASSWORD"):
        return
    connection: psycopg.Connection[object] = connections[settings().database].connection
    # The server is sent what it would store, and its log never sees the password.
    hashed = connection.pgconn.encrypt_password(login["PASSWORD"].encode(), login["USER"].encode(), b"scram-sha-256")
    user = login["USER"].replace('"', '""')
    _run(f"ALTER ROLE \"{user}\" PASSWORD '{hashed.decode()}'")


def _repair_as_owner(wanted: Plan) -> list[str]:
    """All in one transaction: a table with row level security and no policy yet would hide its rows from running workers."""
    with transaction.atomic(using=settings().database):
        _run("SET LOCAL lock_timeout = '10s'")
        # Before `procrastinate_jobs` is locked nothing else is, so that nobody who works can be waited for in a circle.
        found = [each for each in check.differences(wanted, as_migrator=True) if each.by == "owner" and each.repair]
        if found:
            _run("LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
        for each in found:
            _run(str(each.repair))
    for each in found:
        logger.debug("tenancy repaired: %s", each.says)
    return [each.says for each in found]


def _install_key(*, retire: bool) -> list[str]:
    current = token.key()
    known = [key_id for (key_id,) in queries.fetch("tenancy_keys", {})]
    done = []
    if current.id not in known[:1]:
        if current.id in known:  # the former one has come back
            queries.run("tenancy_drop_key", {"id": current.id})
        queries.fetch(
            "tenancy_add_key", {"id": current.id, "inner_pad": current.inner_pad(), "outer_pad": current.outer_pad()}
        )
        done.append(f"key {current.id} was not installed")
    if retire and queries.run("tenancy_retire_keys", {"id": current.id}):
        done.append("former keys were still good")
    return done


def key_is_installed() -> bool:
    """Whether the database knows the key that this process signs with; only the owner may look."""
    return any(key_id == token.key().id for (key_id,) in queries.fetch("tenancy_keys", {}))


def _run(statement: str) -> None:
    with connections[settings().database].cursor() as cursor:
        try:
            cursor.execute(statement)
        except DatabaseError as error:
            error.add_note(f"The statement was: {statement.split(' PASSWORD ')[0]}")
            raise
