"""The project's migrations: which are still to be run, and running them."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from youtility_tasks import queries
from youtility_tasks.conf import settings

from . import safety

_LOCK = "SELECT pg_advisory_lock(hashtextextended('youtility_tasks.setup', 0))"
_LONGEST_S = 86_400.0


def pending() -> list[str]:
    """The migrations of all installed apps that the queue's database has not seen, as "app.name", in their order."""
    executor = MigrationExecutor(connections[settings().database])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def run() -> list[str]:
    """Run the migrations that are pending and return them; a second caller waits for the first and finds none left.

    Raises TransactionPooler before anything is changed if the lock that makes him wait could not be kept.
    """
    safety.refuse_transaction_pooler()
    # On the workers' way, since the lock belongs to a session: Django's may be a pooler's.
    with queries.own_connection("youtility setup", deadline_s=_LONGEST_S, part=None) as guard:
        guard.execute(_LOCK)
        steps = pending()
        if steps:
            call_command("migrate", database=settings().database, interactive=False, verbosity=0)
    return steps
