"""Progress is written without a wait for whoever else holds the job: the worker's other statements come behind it."""

from __future__ import annotations

import json

from django.db import connection, transaction

from tests.integration.desk import Desk, execute
from youtility_tasks import Task, queries, tenant
from youtility_tasks.models import Tenant


def test_a_worker_does_not_wait_for_who_holds_the_job(committed: None, add_task: Task) -> None:
    Tenant.objects.create(pk=7, name="Acme")
    with tenant(7):
        put = int(add_task.enqueue().id)
    desk = Desk()
    taken = desk.take()
    other = connection.copy()
    try:
        with transaction.atomic():
            execute("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", put)
            with other.cursor() as cursor:
                cursor.execute("SET statement_timeout = '5s'")
                told = {"worker_id": desk.id, "told": json.dumps([[put, taken.claim_number, 1, 2, ""]])}
                cursor.execute(queries.statement("note_progress"), told)
                assert cursor.fetchone() == ([],)
    finally:
        other.close()
    assert queries.fetch("note_progress", told) == [([put],)]
