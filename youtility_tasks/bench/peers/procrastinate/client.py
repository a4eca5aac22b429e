"""procrastinate's client in a Django project."""

from __future__ import annotations

import contextlib
from importlib.metadata import version
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from .. import speak  # noqa: E402
from . import tasks  # noqa: E402


class Procrastinate:
    """Bulk calls in a transaction, as of ours."""

    def one(self) -> None:
        tasks.noop.defer(**speak.ARGUMENTS)

    def many(self, n: int) -> None:
        with transaction.atomic():
            tasks.noop.batch_defer(*[speak.ARGUMENTS] * n)

    def mark(self, path: str, sent: float) -> None:
        tasks.mark.defer(path=path, sent=sent)

    def at_once(self) -> contextlib.AbstractContextManager[Any]:
        return transaction.atomic()

    def left(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
            return int(cursor.fetchone()[0])

    def clear(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_events CASCADE")

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("procrastinate", "psycopg", "Django")}


if __name__ == "__main__":
    speak.serve(Procrastinate())
