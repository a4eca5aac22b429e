"""What a run stands on: two PostgreSQL servers of its own, a database for each run, and a folder for its traces."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from youtility_tasks.standalone.server import ROLE, Server

from .dumping import EFFECTS
from .plan import TENANTS

SETTINGS = "youtility_tasks.verify.settings"
SECRET = secrets.token_urlsafe(50)
"""Django wants one; a run's processes keep nothing that it protects."""
_TEMPLATE = "verify_template"
_QUICK = ["-c", "fsync=off", "-c", "max_connections=200"]
_SOUND = ["-c", "max_connections=200"]


class Ground:
    """The queue's server, which faults may hit, and the ledger's, which none may."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self.queue = Server(folder / "queue", options=_SOUND if durable else _QUICK)
        self.ledger = Server(folder / "ledger", options=_QUICK)
        self._made = 0

    def migrate(self) -> None:
        """Make the database that each run gets a copy of."""
        self._sql(self.queue, f"CREATE DATABASE {_TEMPLATE}")
        env = {**os.environ, "DATABASE_URL": self.queue.url(_TEMPLATE), "DJANGO_SETTINGS_MODULE": SETTINGS}
        env |= {"LOG_LEVEL": "WARNING", "SECRET_KEY": SECRET}
        command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(command, env=env, check=True)  # noqa: S603
        with psycopg.connect(self.queue.url(_TEMPLATE), autocommit=True) as connection:
            connection.execute(EFFECTS)
            for tenant_id, weight in TENANTS.items():
                connection.execute(
                    "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at)"
                    " VALUES (%s, %s, true, %s, now())",
                    [tenant_id, f"Tenant {tenant_id}", weight],
                )

    def new_run(self, name: str) -> Place:
        """Databases and a folder of its own for one run."""
        self._made += 1
        database = f"run_{self._made}"
        self._sql(self.queue, f"CREATE DATABASE {database} TEMPLATE {_TEMPLATE}")
        # A copied sequence has values left that only the template's own log has spoken of: after a crash before the next
        # checkpoint it would give them twice.
        self._sql(self.queue, "CHECKPOINT")
        self._sql(self.ledger, f"CREATE DATABASE {database}")
        folder = self.folder / f"{database}-{name}"
        folder.mkdir()
        return Place(database, self, folder)

    def _sql(self, server: Server, statement: str) -> None:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement)


class Place:
    """Where one run takes place."""

    def __init__(self, database: str, ground: Ground, folder: Path) -> None:
        self.database, self.ground, self.folder = database, ground, folder

    @property
    def direct(self) -> str:
        """The queue's database."""
        return self.ground.queue.url(self.database)

    @property
    def ledger(self) -> str:
        return self.ground.ledger.url(self.database)

    def through(self, port: int) -> str:
        """The queue's database by way of a proxy."""
        return f"postgresql://{ROLE}@127.0.0.1:{port}/{self.database}"

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.direct, autocommit=True)


@contextlib.contextmanager
def ground(*, durable: bool = False) -> Iterator[Ground]:
    """Two servers in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="yt-verify-"))
    folder.chmod(0o755)  # the servers' own user has to pass through
    made = Ground(folder, durable=durable)
    try:
        with made.queue.in_use(), made.ledger.in_use():
            made.migrate()
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
