"""Our client: what an application does that enqueues."""

from __future__ import annotations

import contextlib
from importlib.metadata import version
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from youtility_tasks import enqueue_many, roster, tenant  # noqa: E402
from youtility_tasks.bench.ours import tasks  # noqa: E402
from youtility_tasks.bench.peers import speak  # noqa: E402
from youtility_tasks.models import Tenant  # noqa: E402

_TENANT = 7


class Ours:
    """Jobs of one tenant. A call alone is in no transaction but its own, as every other system's is."""

    def one(self) -> None:
        with tenant(_TENANT):
            tasks.noop.enqueue(**speak.ARGUMENTS)

    def many(self, n: int) -> None:
        with transaction.atomic(), tenant(_TENANT):
            enqueue_many(tasks.noop, [speak.ARGUMENTS] * n)

    def mark(self, path: str, sent: float) -> None:
        with tenant(_TENANT):
            tasks.mark.enqueue(path=path, sent=sent)

    def at_once(self) -> contextlib.AbstractContextManager[Any]:
        return transaction.atomic()

    def left(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
            return int(cursor.fetchone()[0])

    def clear(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_events, youtility_tasks_history CASCADE")

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("youtility-tasks", "procrastinate", "psycopg", "Django")}


if __name__ == "__main__":
    if not Tenant.objects.filter(pk=_TENANT).exists():
        roster.add(_TENANT, "Bench")
    speak.serve(Ours())
