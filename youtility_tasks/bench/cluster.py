"""The PostgreSQL that is measured: one of the bench's own, as durable as the company's, or one that was named."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from youtility_tasks.standalone.server import Server

ROLE = "bench"
"""Who owns the databases that are measured: nobody special, as workers refuse to be a superuser."""

_OPTIONS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "none",  # switched on only while an idle worker is watched
}


@dataclass
class Cluster:
    """A running server: who may administrate it, and the process whose CPU counts (None if it is not on this machine)."""

    admin: str
    pid: int | None
    is_own: bool
    made: list[str] = field(default_factory=list)

    def ask(self, statement: str, *parameters: Any, dbname: str | None = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._conninfo(dbname), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def database(self, name: str) -> str:
        """A new and empty database; its address for DATABASE_URL."""
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            owner = sql.SQL(" OWNER {}").format(sql.Identifier(ROLE)) if self.is_own else sql.SQL("")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + owner)
        self.made.append(name)
        parts = {str(k): str(v) for k, v in conninfo_to_dict(self.admin).items()}
        user = ROLE if self.is_own else parts.get("user", "")
        secret = f":{parts['password']}" if parts.get("password") and not self.is_own else ""
        port = f"&port={parts['port']}" if "port" in parts else ""
        return f"postgresql://{user}{secret}@/{name}?host={parts.get('host', 'localhost')}{port}"

    def settle(self, dbname: str) -> None:
        """Leave nothing for a later moment that an earlier one has caused."""
        self.ask("VACUUM ANALYZE", dbname=dbname)
        self.ask("CHECKPOINT")

    def traffic(self, dbname: str) -> dict[str, float]:
        """Statements and transactions of a database so far."""
        time.sleep(1.1)  # sessions report their numbers once a second at most
        ((xacts,),) = self.ask("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s", dbname)
        statements = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE datname = %s"
        return {
            "transactions": float(xacts),
            "statements": float(self.ask(statements, dbname)[0][0]) if self.is_own else 0.0,
        }

    def count_statements(self, *, on: bool) -> None:
        if self.is_own:
            self.ask(f"ALTER SYSTEM SET pg_stat_statements.track = {'all' if on else 'none'}")
            self.ask("SELECT pg_reload_conf()")

    @property
    def version(self) -> str:
        return str(self.ask("SHOW server_version")[0][0])

    @property
    def durability(self) -> dict[str, str]:
        return {name: str(self.ask(f"SHOW {name}")[0][0]) for name in ("fsync", "synchronous_commit")}

    def _conninfo(self, dbname: str | None) -> str:
        return make_conninfo(self.admin, dbname=dbname) if dbname else self.admin


@contextlib.contextmanager
def running(url: str | None) -> Iterator[Cluster]:
    """A server inside the block: the one of the address, whose role may create databases, else one that is thrown away after.

    Every database that the bench makes is dropped at the end; no other is touched.
    """
    if url:
        named = Cluster(url, None, is_own=False)
        try:
            yield named
        finally:
            for name in named.made:
                named.ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        return
    folder = Path(tempfile.mkdtemp(prefix="yt-bench-"))
    folder.chmod(0o755)  # ours: the server's own user has to pass through
    server = Server(folder, options=[word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")])
    try:
        with server.in_use():
            own = Cluster(server.conninfo("postgres"), server.pid(), is_own=True)
            own.ask(f"CREATE ROLE {ROLE} LOGIN")
            own.ask("CREATE EXTENSION pg_stat_statements")
            yield own
    finally:
        shutil.rmtree(folder)
