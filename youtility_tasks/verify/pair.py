"""A PostgreSQL and its standby: die, promote, come back. What a manager of failovers does, by hand."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg

from youtility_tasks.standalone.server import DATABASE, ROLE, Server

from .crew import until
from .networks import Host

_OPTIONS = ["-c", "fsync=off", "-c", "max_connections=200", "-c", "wal_log_hints=on"]
SURELY = "keepalives_idle=1&keepalives_interval=1&keepalives_count=2&tcp_user_timeout=3000&connect_timeout=2"
"""Of an address: a server that is gone without a word is given up after three seconds, in place of minutes."""


class Pair:
    """Two servers, of which one is the primary. Without hosts they have no ports, and are reached by their sockets alone."""

    def __init__(self, folder: Path, hosts: list[Host] | None = None) -> None:
        listen = ["-c", "listen_addresses=*"] if hosts else []
        self.hosts = hosts
        self.both = [Server(folder / name, options=[*_OPTIONS, *listen]) for name in ("first", "second")]
        self.primary, self.standby = self.both

    # -- addresses

    def url(self, dbname: str = DATABASE) -> str:
        """For who looks: by their sockets, whatever becomes of the network; the standby first, as it is the newer once it is promoted."""
        sockets = ",".join(quote(str(each.sockets)) for each in (self.standby, self.primary))
        return f"postgresql://{ROLE}@/{dbname}?host={sockets}&target_session_attrs=read-write"

    def conninfo(self, dbname: str = DATABASE) -> str:
        return self.url(dbname)

    def address(self, dbname: str = DATABASE) -> str:
        """For workers and applications: both servers, and the one that is writable; the primary first, which will be the old one."""
        if self.hosts is None:
            sockets = ",".join(quote(str(each.sockets)) for each in (self.primary, self.standby))
            return f"postgresql://{ROLE}@/{dbname}?host={sockets}&target_session_attrs=read-write"
        names = ",".join(each.address for each in self.hosts)
        return f"postgresql://{ROLE}@{names}/{dbname}?target_session_attrs=read-write&{SURELY}"

    def ask(self, server: Server, statement: str, dbname: str = "postgres") -> list[tuple[Any, ...]]:
        """Of one of them, whatever it is."""
        with psycopg.connect(server.conninfo(dbname), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    # -- what happens to them

    @contextlib.contextmanager
    def in_use(self, *, synchronous: bool = True) -> Iterator[Pair]:
        """Both run inside the block, the second as the standby of the first."""
        try:
            self.start(self.primary)
            if self.hosts:
                with (self.primary.data / "pg_hba.conf").open("a") as rules:
                    rules.write("host all,replication all 198.18.9.0/24 trust\n")
            # pg_rewind needs what was written since the servers went apart, and lets a server without our options recover.
            self.ask(self.primary, "ALTER SYSTEM SET wal_keep_size = '512MB'")
            self.ask(self.primary, "SELECT pg_reload_conf()")
            with self._on(self.standby):
                self.standby.copy_from(self._replication_from(self.primary))
            self.start(self.standby)
            self.set_synchronous(synchronous)
            yield self
        finally:
            for each in self.both:
                if (pid := each.pid()) is not None:
                    os.kill(pid, signal.SIGQUIT)  # a primary that waits for a dead standby would not leave by itself
            for each in self.both:
                until(lambda each=each: each.pid() is None, "the server is down")  # type: ignore[misc]

    def start(self, server: Server | None = None) -> None:
        with self._on(server or self.primary):
            (server or self.primary).start()

    def set_synchronous(self, synchronous: bool) -> None:
        """Whether the primary's commits wait for the standby, which is there then."""
        self.ask(self.primary, f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if synchronous else ''}'")
        self.ask(self.primary, "SELECT pg_reload_conf()")
        state = "sync" if synchronous else "async"
        seen = f"SELECT 1 FROM pg_stat_replication WHERE sync_state = '{state}' AND state = 'streaming'"  # noqa: S608
        until(lambda: self.ask(self.primary, seen), f"the standby streams ({state})")

    def kill_primary(self) -> None:
        """It dies at once, and with it whatever only it knew; with a host of its own the host does."""
        if self.hosts:
            self.hosts[self.both.index(self.primary)].die()
        elif (pid := self.primary.pid()) is not None:
            for process in [psutil.Process(pid), *psutil.Process(pid).children()]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        until(lambda: self.primary.pid() is None, "the primary is dead")

    def promote(self) -> float:
        """The standby takes over, and waits for no standby of its own before there is one; monotonic seconds at which it took writes."""
        self.ask(self.standby, "SELECT pg_promote()")
        at = time.monotonic()
        self.primary, self.standby = self.standby, self.primary
        self.ask(self.primary, "ALTER SYSTEM SET synchronous_standby_names = ''")
        self.ask(self.primary, "SELECT pg_reload_conf()")
        self.ask(
            self.primary, "CHECKPOINT"
        )  # before it the control file, which pg_rewind reads, tells of the timeline before
        return at

    def bring_back_the_old(self) -> None:
        """As somebody does who knows of no failover: the old primary runs again, and takes writes."""
        if self.hosts:
            self.hosts[self.both.index(self.standby)].reconnect()
        self.start(self.standby)

    def make_standby_of_the_old(self) -> None:
        """Stop it, take back what the new one never had, and let it follow."""
        if (pid := self.standby.pid()) is not None:
            os.kill(pid, signal.SIGQUIT)
            until(lambda: self.standby.pid() is None, "the old primary is down")
        way = self._replication_from(self.primary)
        with self._on(self.standby):
            self.standby.run("pg_rewind", "-D", self.standby.data, "--source-server", f"{way} dbname=postgres", "-R")
        self.start(self.standby)

    def _replication_from(self, server: Server) -> str:
        host = self.hosts[self.both.index(server)].address if self.hosts else str(server.sockets)
        return f"host={host} user={ROLE} application_name=standby"

    def _on(self, server: Server) -> contextlib.AbstractContextManager[None]:
        return self.hosts[self.both.index(server)].entered() if self.hosts else contextlib.nullcontext()
