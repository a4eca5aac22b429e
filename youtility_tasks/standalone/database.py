"""Which database the project uses, and the way there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from . import home
from .errors import DatabaseUnreachable
from .server import DATABASE, ROLE, Server, socket_folder

_PACKAGES = Path(__file__).resolve().parents[2]
_MIGRATIONS = {
    "youtility_tasks": "youtility_tasks/migrations",
    "task_catalog": "task_catalog/migrations",
    "facility": "task_catalog/facility/migrations",
}
_NAMED = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def django_database() -> dict[str, Any]:
    """Django's settings for DATABASE_URL, else for the embedded server, which need not run yet."""
    url = os.environ.get("DATABASE_URL")
    if url:
        return from_url(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": ROLE,
        "HOST": str(socket_folder(home.folder())),
    }


def role_prefix() -> str:
    """Before the names of roles, which belong to the whole server: YOUTILITY_ROLE_PREFIX, else tq_."""
    return os.environ.get("YOUTILITY_ROLE_PREFIX", "tq_")


def roles() -> dict[str, dict[str, str]]:
    """The users of the bundled project's parts. They have no password: the embedded server's socket is closed to others."""
    return {part: {"USER": f"{role_prefix()}the_{part}"} for part in ("worker", "task", "web", "ops", "exporter")}


def from_url(url: str) -> dict[str, Any]:
    """Django's settings for a libpq address (`postgresql://user:password@host:port/name?option=value`).

    Raises DatabaseUnreachable if it is not one.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise DatabaseUnreachable(
            f"DATABASE_URL is not an address: {str(error).strip()}. Right is postgresql://user:password@host:5432/name."
        ) from error
    named = {_NAMED[key]: str(value) for key, value in parts.items() if key in _NAMED}
    options = {key: value for key, value in parts.items() if key not in _NAMED}
    return {"ENGINE": "django.db.backends.postgresql", **named, **({"OPTIONS": options} if options else {})}


@contextlib.contextmanager
def at_hand(*, keep: bool = False) -> Iterator[str]:
    """Have a database inside the block and DATABASE_URL name it: the given one, else the embedded server, started if need be.

    Raises StandaloneError with what to do.
    """
    given = os.environ.get("DATABASE_URL")
    if given:
        _try(given)
        yield given
        return
    with Server(home.folder()).in_use(keep=keep) as server:
        os.environ["DATABASE_URL"] = server.url()
        try:
            yield server.url()
        finally:
            del os.environ["DATABASE_URL"]


def missing_migrations() -> list[str]:
    """Our own migrations that the database of DATABASE_URL has not had, as `app.name`; asked without loading Django's apps."""
    ours = {
        f"{app}.{path.stem}" for app, folder in _MIGRATIONS.items() for path in (_PACKAGES / folder).glob("[0-9]*.py")
    }
    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as connection:
        try:
            had = connection.execute("SELECT app || '.' || name FROM django_migrations").fetchall()
        except psycopg.errors.UndefinedTable:
            had = []
    return sorted(ours - {name for (name,) in had})


def _try(url: str) -> None:
    from_url(url)
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"The database of DATABASE_URL does not answer: {str(error).strip().splitlines()[0]}. "
            "Start it, correct the address, or unset DATABASE_URL to use the embedded PostgreSQL."
        ) from error
