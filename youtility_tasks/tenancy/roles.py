"""Lets a process connect as what it is: the web, a task, an operator, a worker."""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connections

from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError

MIGRATOR = None
"""The user that DATABASES names: for migrations and set-up."""

_OF_THE_SCHEMA = {
    *("migrate", "setup_task_queue", "makemigrations", "showmigrations", "sqlmigrate", "squashmigrations", "sqlflush"),
    *("flush", "inspectdb", "createcachetable", "dumpdata", "loaddata", "test", "dbshell"),
}
"""Commands that work on the database as a whole, and so as whoever DATABASES names."""

_WITH_A_VALUE = {"--settings", "--pythonpath", "--verbosity", "-v"}

_OF_ONE_TENANT = ("task", "web")
"""As `plan.USERS`, which this module comes before."""

_as_configured: dict[str, Mapping[str, Any]] = {}
_acting: str | None = None


_here: contextvars.ContextVar[str | None] = contextvars.ContextVar("youtility_tasks_acting_here", default=None)


def acting_as() -> str | None:
    """The part that this process, or this block of it, plays: one of `conf.PARTS`, or None for the user of DATABASES."""
    return _here.get() or _acting


def act_as(part: str | None) -> None:
    """Let Django's connection to the queue's database be that part's from now on; None: the user that DATABASES names.

    Of each thread's connection: one that is open is closed, so do it before there are threads and outside a
    transaction. Without the setting `roles` nothing changes. Raises ConfigurationError for a part that has no user.
    """
    global _acting
    if settings().roles is None:
        return
    for alias in settings().aliases:
        if connections[alias].in_atomic_block:
            raise ConfigurationError(f"act_as({part!r}) inside a transaction: call it where the process begins.")
    for alias in settings().aliases:
        _act_on(alias, part)
    _acting = part


def _act_on(alias: str, part: str | None) -> None:
    login, connection = _login(part, alias), connections[alias]
    for target in (connections.databases[alias], connection.settings_dict):
        target.update(login)
    connection.features.__dict__.pop("uses_server_side_binding", None)  # which Django asks for once
    if part != _acting:
        connection.close()
        if connection.vendor == "postgresql" and hasattr(connection, "close_pool"):
            connection.close_pool()  # its sessions are the former user's


@contextlib.contextmanager
def acting(part: str | None) -> Iterator[None]:
    """`act_as` for the length of a block."""
    before = _acting
    act_as(part)
    try:
        yield
    finally:
        act_as(before)


@contextlib.contextmanager
def acting_here(part: str, *, beside: bool = False) -> Iterator[None]:
    """Inside the block this thread alone plays another part, on a connection of the block's own: one request among many.

    Not inside a transaction, whose rows it would not see, unless `beside` says that it reads what has no part in that. Without the
    setting `roles` there is no other connection, and only what asks `acting_as` knows. Raises ConfigurationError for a part
    that has no user.
    """
    alias, token = settings().database, _here.set(part)
    try:
        if settings().roles is None:
            yield
            return
        before = connections[alias]
        if before.in_atomic_block and not beside:
            raise ConfigurationError(f"acting_here({part!r}) inside a transaction: begin it in the block.")
        login = _login(part, alias)
        # A pool goes by the alias: its sessions are the other user's.
        options = {key: value for key, value in login["OPTIONS"].items() if key != "pool"}
        mine = type(before)({**connections.databases[alias], **login, "OPTIONS": options}, alias)
        connections[alias] = mine
        try:
            yield
        finally:
            mine.close()
            connections[alias] = before
    finally:
        _here.reset(token)


def begin(arguments: Sequence[str] | None = None) -> None:
    """Decide what this process is, as Django starts: the web, unless its command works on the schema."""
    act_as(MIGRATOR if _command(sys.argv if arguments is None else arguments) in _OF_THE_SCHEMA else "web")


def _command(arguments: Sequence[str]) -> str | None:
    """The management command of a command line: its first word that is no option, nor the value of one of Django's own."""
    words = iter(arguments[1:])
    for word in words:
        if not word.startswith("-"):
            return word
        if word in _WITH_A_VALUE:
            next(words, None)
    return None


def _login(part: str | None, alias: str) -> Mapping[str, Any]:
    if _acting is None:
        given = connections.databases[alias]
        _as_configured[alias] = {"USER": "", "PASSWORD": "", "OPTIONS": {}} | {
            key: given[key] for key in ("USER", "PASSWORD", "OPTIONS") if key in given
        }
    configured = _as_configured[alias]
    if part is None:
        return configured
    # Sessions of one user see the texts of each other's statements, so values travel beside them: Django's own default writes
    # them into the text. Whoever wants that names it in OPTIONS.
    bound = {"server_side_binding": True} if part in _OF_ONE_TENANT else {}
    return {**configured, "PASSWORD": "", **credentials(part), "OPTIONS": {**bound, **configured["OPTIONS"]}}


def credentials(part: str) -> Mapping[str, str]:
    """USER and PASSWORD of a part. Raises ConfigurationError if there are none."""
    found = (settings().roles or {}).get(part)
    if found is None:
        raise ConfigurationError(
            f"YOUTILITY_TASKS: roles has no user for {part!r}; add one and run `setup_task_queue`, or name a tenant instead."
        )
    return found
