"""One move or adoption at a time, in all processes; and each begins with what the other kind has left when it was killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from youtility_tasks import queries
from youtility_tasks.errors import Refused


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Held until the block ends, or the process does: the lock goes with its connection. Raises Refused while another has it."""
    with psycopg.connect(queries.conninfo("celery_bridge move", part=None), connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('youtility_tasks move', 0))"
        ).fetchone()
        if row is None or not row[0]:
            raise Refused(
                "Another move between Celery and PostgreSQL (`move`, `--move`, `adopt`) is under way. Run it again when that has ended."
            )
        yield
