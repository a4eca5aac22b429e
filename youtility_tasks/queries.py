"""The only Python that runs `sql/*.sql`: each statement is a file, each file one function or one name here."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from django.db import connections
from psycopg.conninfo import make_conninfo

from .conf import settings


@functools.cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def fetch(name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement on Django's own connection, in the caller's transaction; return its rows."""
    with connections[settings().database].cursor() as cursor:
        cursor.execute(statement(name), dict(parameters))
        return list(cursor.fetchall())


def run(name: str, parameters: Mapping[str, Any]) -> int:
    """Run a statement that returns no rows; return how many rows it touched."""
    with connections[settings().database].cursor() as cursor:
        cursor.execute(statement(name), dict(parameters))
        return int(cursor.rowcount)


def run_many(name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement once for each set of parameters, in one round trip where the driver can."""
    with connections[settings().database].cursor() as cursor:
        cursor.executemany(statement(name), [dict(p) for p in parameters])


def conninfo(application_name: str) -> str:
    """How to reach the queue's database without Django: for the connections that a worker itself holds."""
    parameters = connections[settings().database].get_connection_params()
    kept = {
        key: value
        for key, value in parameters.items()
        if key
        not in {"cursor_factory", "context", "prepare_threshold", "server_side_binding", "client_encoding", "pool"}
        and isinstance(value, str | int)
    }
    kept["application_name"] = application_name
    return make_conninfo("", **kept)
