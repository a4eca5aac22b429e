"""Whether a day may be played in this database at all."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from task_catalog import entities
from task_catalog.conf import FACILITY_MODELS, catalog
from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.models import TaskWorker, Tenant

from .errors import DayInProgress, ForeignModels, ForeignWorkers, OtherCompanies
from .removal import client_ids

_LOCK = "task_catalog.company_day"
_LOOK_S = 0.1


@contextlib.contextmanager
def only_day() -> Iterator[None]:
    """Be the only one who plays in this database inside the block. Raises DayInProgress when somebody else does."""
    # On a session of its own: Django's is closed whenever this process connects as somebody else.
    with connection.wrap_database_errors:
        session = psycopg.connect(queries.conninfo("company day", part=None), autocommit=True, connect_timeout=5)
    with contextlib.closing(session):
        if session.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [_LOCK]).fetchone() != (True,):
            raise DayInProgress(
                "Another company day is being played in this database. Wait until it ends, or use another database."
            )
        yield


def refuse_foreign_data() -> None:
    """Raise OtherCompanies when the database is somebody's, ForeignModels when the tasks work on other tables.

    The day's sweeps serve every client there is, by a clock that is not the real one.
    """
    if catalog().models != FACILITY_MODELS:
        foreign = sorted(name for name, path in catalog().models.items() if path != FACILITY_MODELS[name])
        raise ForeignModels(
            f"TASK_CATALOG['models'] maps {', '.join(foreign)} to your own tables, which the day does not fill. "
            "Play it with the bundled project (youtility-tasks play_company_day) in a database of its own."
        )
    own = client_ids()
    clients = entities.BusinessUnit.objects.filter(identifier__tacode="CLIENT").exclude(Q(pk__in=own))
    found = [f"{name!r} ({pk})" for pk, name in clients.exclude(pk=entities.none_id()).values_list("pk", "buname")[:5]]
    found = found or [
        f"{name!r} ({pk})" for pk, name in Tenant.objects.exclude(pk__in=own).values_list("pk", "name")[:5]
    ]
    if found:
        raise OtherCompanies(
            f"This database holds clients that the day did not make: {', '.join(found)}. Its played clock would plan, "
            "close and mail for them too. Use a database of its own: set DATABASE_URL to an empty one, or for the "
            "embedded server YOUTILITY_HOME to another folder."
        )


def refuse_foreign_workers() -> None:
    """Raise ForeignWorkers when live workers serve this database; those of a day that was killed are waited for."""
    seen: dict[int, object] = {}
    patience = settings().lease_s + settings().heartbeat_interval_s
    until = time.monotonic() + patience
    while workers := _live_workers():
        renewed = [
            worker for worker in workers if seen.setdefault(worker.pk, worker.heartbeat_at) != worker.heartbeat_at
        ]
        if renewed or time.monotonic() > until:
            named = ", ".join(f"{w.queue_name} on {w.host} (process {w.pid})" for w in (renewed or workers)[:5])
            raise ForeignWorkers(
                f"Workers serve this database that the day did not start: {named}. They would work by the real clock. "
                "Stop them, or use another database."
            )
        time.sleep(_LOOK_S)


def _live_workers() -> list[TaskWorker]:
    """Workers that were heard of within their lease; on this host their process must also exist."""
    heard = TaskWorker.objects.filter(
        status__in=["running", "draining"], heartbeat_at__gt=Now() - timedelta(seconds=settings().lease_s)
    )
    here = socket.gethostname()
    return [worker for worker in heard.order_by("pk") if worker.host != here or process_exists(worker.pid)]


def process_exists(pid: int) -> bool:
    """Whether this host has such a process, ours or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
