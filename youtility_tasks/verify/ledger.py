"""The ledger: a PostgreSQL of its own that no fault touches, and a file for each process that appends to it.

The file comes first, one write a line: it survives the writer's death at any instant. The table is the second witness;
reading takes both and counts an entry once.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from .entries import Entry, Kind, entries

ADDRESS, FOLDER = "YOUTILITY_VERIFY_LEDGER", "YOUTILITY_VERIFY_FOLDER"
"""Environment variables of the processes of a run: the ledger's address, and the folder of its files."""

_TABLE = """
    CREATE TABLE IF NOT EXISTS entry (
        id text PRIMARY KEY, kind text NOT NULL, key text NOT NULL, job_id bigint, claim bigint, pid integer NOT NULL,
        at bigint NOT NULL, data jsonb NOT NULL, written_at timestamptz NOT NULL DEFAULT clock_timestamp())
"""
_INSERT = """
    INSERT INTO entry (id, kind, key, job_id, claim, pid, at, data)
    VALUES (%(id)s, %(kind)s, %(key)s, %(job_id)s, %(claim)s, %(pid)s, %(at)s, %(data)s) ON CONFLICT DO NOTHING
"""


class Ledger:
    """Writes entries; safe to use from any thread, and in processes forked from the one that made it."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self._own = threading.local()

    @classmethod
    def from_environment(cls) -> Ledger:
        """The ledger of the run that this process belongs to."""
        return cls(os.environ[ADDRESS], Path(os.environ[FOLDER]))

    def prepare(self) -> None:
        """Make the table."""
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute(_TABLE)

    def write(self, kind: Kind, **fields: Any) -> None:
        """Append an entry; named fields of Entry, everything else into its `data`."""
        at = fields.pop("at", None) or time.monotonic_ns()
        known: dict[str, Any] = {name: fields.pop(name) for name in ("key", "job_id", "claim") if name in fields}
        pid = os.getpid()
        row: dict[str, Any] = {"key": "", "job_id": None, "claim": None, **known}
        row |= {"id": f"{at}-{pid}-{threading.get_native_id()}-{kind}", "kind": str(kind), "at": at, "pid": pid}
        self._append({**row, "data": fields})
        self._insert({**row, "data": json.dumps(fields)})

    def _append(self, row: dict[str, Any]) -> None:
        path = self.folder / f"ledger-{os.getpid()}.jsonl"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, (json.dumps(row, separators=(",", ":")) + "\n").encode())
        finally:
            os.close(file)

    def _insert(self, row: dict[str, Any]) -> None:
        connection = self._connection()
        try:
            connection.execute(_INSERT, row)
        except BaseException:  # an exception that was raised into this very statement leaves the connection unusable
            connection.close()
            raise

    def _connection(self) -> psycopg.Connection[Any]:
        found: psycopg.Connection[Any] | None = getattr(self._own, "connection", None)
        if found is None or found.closed or self._own.pid != os.getpid():
            found = psycopg.connect(self.address, autocommit=True)
            self._own.connection, self._own.pid = found, os.getpid()
        return found

    def close(self) -> None:
        """Close this thread's connection."""
        found = getattr(self._own, "connection", None)
        if found is not None:
            with contextlib.suppress(psycopg.Error):
                found.close()

    def read(self) -> list[Entry]:
        """All that was written, by whatever witness. A last line that was cut off is no entry."""
        rows: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob("ledger-*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    rows.append(json.loads(line))
        with psycopg.connect(self.address) as connection:
            cursor = connection.execute("SELECT id, kind, key, job_id, claim, pid, at, data FROM entry")
            names = [column.name for column in cursor.description or ()]
            rows += [dict(zip(names, row, strict=True)) for row in cursor]
        return entries(rows)

    def running(self) -> list[tuple[int, str]]:
        """(pid, key) of the attempts that have begun and not ended, newest first."""
        with psycopg.connect(self.address) as connection:
            found = connection.execute(
                "SELECT b.pid, b.key FROM entry b WHERE b.kind = 'begin' AND NOT EXISTS ("
                "  SELECT 1 FROM entry e WHERE e.kind = 'end' AND e.pid = b.pid AND e.key = b.key AND e.at > b.at)"
                " ORDER BY b.at DESC"
            ).fetchall()
        return [(int(pid), str(key)) for pid, key in found]
