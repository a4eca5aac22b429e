"""Progress is written without a wait for whoever else holds the job: the worker's other statements come behind it."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError, connection, transaction

from tests.integration.desk import Claimed, Desk, execute
from tests.integration.mutants import definition
from youtility_tasks import Task, queries, tenant
from youtility_tasks.models import Tenant

FUNCTION, GUARD = "youtility_tasks_progress_v1", " SKIP LOCKED"


def tell_while_somebody_holds_it(desk: Desk, taken: Claimed, *, within: str) -> list[int]:
    """The jobs of which it was written, from another session."""
    other = connection.copy()
    try:
        with transaction.atomic(), other.cursor() as cursor:
            execute("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", taken.id)
            cursor.execute(f"SET statement_timeout = '{within}'")
            told = json.dumps([[taken.id, taken.claim_number, 1, 2, ""]])
            cursor.execute(queries.statement("note_progress"), {"worker_id": desk.id, "told": told})
            return list(cursor.fetchone()[0])
    finally:
        other.close()


def test_a_worker_does_not_wait_for_who_holds_the_job(committed: None, add_task: Task) -> None:
    Tenant.objects.create(pk=7, name="Acme")
    with tenant(7):
        add_task.enqueue()
    desk = Desk()
    taken = desk.take()

    assert tell_while_somebody_holds_it(desk, taken, within="30s") == []

    text = definition(FUNCTION)
    assert GUARD in text
    execute(text.replace(GUARD, "").replace("%", "%%"))
    try:
        with pytest.raises(OperationalError, match="statement timeout"):
            tell_while_somebody_holds_it(desk, taken, within="100ms")
    finally:
        execute(text.replace("%", "%%"))
