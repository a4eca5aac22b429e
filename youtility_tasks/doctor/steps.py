"""The project's migrations: which are still to be run, and running them."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from youtility_tasks.conf import settings

_LOCK = "SELECT pg_advisory_lock(hashtextextended('youtility_tasks.setup', 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('youtility_tasks.setup', 0))"


def pending() -> list[str]:
    """The migrations of all installed apps that the queue's database has not seen, as "app.name", in their order."""
    executor = MigrationExecutor(connections[settings().database])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def run() -> list[str]:
    """Run the migrations that are pending and return them; a second caller waits for the first and finds none left."""
    alias = settings().database
    with connections[alias].cursor() as cursor:
        cursor.execute(_LOCK)
        try:
            steps = pending()
            if steps:
                call_command("migrate", database=alias, interactive=False, verbosity=0)
        finally:
            cursor.execute(_UNLOCK)
    return steps
