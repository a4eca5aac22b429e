"""Asks the database for all numbers at once; whoever asks is answered within a second, whatever the database does."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import psycopg

from youtility_tasks import queries, queues, servers
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError

from .server import HOT

logger = logging.getLogger(__name__)

ANSWER_S = 0.9
"""A scrape is answered after so long, with `youtility_up 0` if the database has not answered."""
MOST_WORKERS = 200
"""Worker processes with a memory gauge of their own; the rest is `other`."""
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """What the database said at one moment."""

    totals: list[Row]
    """(tenant, queue, task, outcome, attempts, wait: sum in ms, buckets, counts, run: the same)."""
    present: list[Row]
    """(name, label, other label, value)."""
    server: list[Row]
    """The same, of PostgreSQL itself."""


class Source:
    """One connection, which one question at a time uses: whoever asks while another is being answered gets that answer, too.

    So a database that hangs holds one thread and one connection of this process, however often somebody scrapes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answer: Future[Readings] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._was_kept = False

    def read(self) -> Readings | None:
        """The readings; None if the database does not answer in time, or with an error, which is in the log."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                threading.Thread(target=self._ask, args=[self._answer], name="exporter", daemon=True).start()
            answer = self._answer
        try:
            return answer.result(ANSWER_S)
        except TimeoutError:
            logger.warning("no numbers error=the database has not answered in %s s", ANSWER_S)
        except (psycopg.Error, OSError, ConfigurationError) as error:
            logger.warning("no numbers error=%s", (str(error).strip().splitlines() or [type(error).__name__])[0])
        return None

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()

    def _ask(self, answer: Future[Readings]) -> None:
        try:
            found = self._readings()
        except BaseException as error:  # whoever waits must not wait for ever
            with contextlib.suppress(Exception):
                self.close()
            self._connection = None
            answer.set_exception(error)
        else:
            answer.set_result(found)

    def _readings(self) -> Readings:
        began = time.monotonic()
        try:
            return self._ask_on(self._connected())
        except psycopg.OperationalError:
            # One that was kept may have died unnoticed since the last scrape, which is known at once; a new one tells whether the
            # database has. One that is slow is not asked twice.
            if not self._was_kept or time.monotonic() - began > ANSWER_S / 2:
                raise
            self.close()
            return self._ask_on(self._connected())

    def _ask_on(self, connection: psycopg.Connection[Any]) -> Readings:
        bound = {"deadline_ms": int(ANSWER_S * 1_000)}
        call = {"queues": sorted(queues.configured()), "lease_s": settings().lease_s, "most": MOST_WORKERS}
        with queries.deadline(connection, ANSWER_S), connection.transaction():
            connection.execute(queries.statement("bound_transaction"), bound)
            totals = connection.execute(queries.statement("export_totals")).fetchall()
            present = connection.execute(queries.statement("export_present"), call).fetchall()
            server = connection.execute(queries.statement("export_server"), {"tables": list(HOT)}).fetchall()
        return Readings(totals, present, server)

    def _connected(self) -> psycopg.Connection[Any]:
        self._was_kept = self._connection is not None and not self._connection.closed
        if self._connection is None or self._connection.closed:
            roles = settings().roles
            if roles is not None and "exporter" not in roles:
                raise ConfigurationError(
                    "YOUTILITY_TASKS: roles has no 'exporter'; right is a user of its own for it, then `setup_task_queue`."
                )
            # Prepared statements would meet those of another exporter behind a pooler.
            ways: dict[str, Any] = {"connect_timeout": 2, "autocommit": True, "prepare_threshold": None}
            self._connection = psycopg.connect(
                servers.pick(queries.conninfo("youtility exporter", part="exporter")), **ways
            )
        return self._connection
