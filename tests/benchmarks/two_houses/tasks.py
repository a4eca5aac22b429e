"""A task that does nothing, and one that reads and writes a row of its tenant as an application's tasks do."""

from __future__ import annotations

from django.db import connection, transaction

from youtility_tasks import queues, task


@task(name="two_houses_noop", queue_name=queues.HIGH_PRIORITY)
def noop(*, a: int) -> None:
    """Nothing."""


@task(name="two_houses_row", queue_name=queues.HIGH_PRIORITY)
def row(*, a: int) -> None:
    """Two statements in one transaction, on a table with a tenant."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id FROM two_houses_row WHERE id = %s", [a])
        cursor.fetchall()
        cursor.execute("UPDATE two_houses_row SET n = n + 1 WHERE id = %s", [a])
