"""A real pgbouncer in front of the tests' PostgreSQL, under an unprivileged user."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.conftest import require_program
from youtility_tasks.standalone import home


class Pgbouncer:
    """One that runs; `stop` and `start` are what an operator does to it under load."""

    def __init__(self, command: list[str | Path], folder: Path, url: str, as_user: dict[str, Any]) -> None:
        self.command, self.folder, self.url, self.as_user = command, folder, url, as_user

    def start(self) -> None:
        """Returns once it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd="/", **self.as_user)
        _until_it_answers(make_conninfo(self.url), self.process, self.folder / "log")

    def stop(self) -> None:
        """At once, with all that goes through it."""
        self.process.kill()
        self.process.wait(10)

    def say(self, command: str) -> None:
        """A command of its admin console."""
        with psycopg.connect(make_conninfo(self.url, dbname="pgbouncer"), autocommit=True) as console:
            console.pgconn.exec_(command.encode())


@contextmanager
def bouncer(target: str, pool_mode: str, **options: Any) -> Iterator[str]:
    """The address of the target's database through a pgbouncer of that mode."""
    with a_bouncer(target, pool_mode, **options) as made:
        yield made.url


@contextmanager
def a_bouncer(target: str, pool_mode: str, *, users: Sequence[str] = (), **options: Any) -> Iterator[Pgbouncer]:
    """A pgbouncer of that mode in front of the target's database; `users` may go through it beside the target's own."""
    program = require_program("pgbouncer", package="pgbouncer")
    parts = conninfo_to_dict(target)
    user = home.server_user()
    folder = Path(tempfile.mkdtemp(prefix="yt-pgb-"))
    way = " ".join(f"{key}={parts[key]}" for key in ("host", "port", "dbname") if key in parts)
    lines = {
        "listen_addr": "",
        "listen_port": 6432,
        "unix_socket_dir": folder,
        "unix_socket_mode": "0777",
        "auth_type": "trust",
        "auth_file": folder / "users",
        "pool_mode": pool_mode,
        "admin_users": parts["user"],
        "max_client_conn": 200,
        "default_pool_size": 20,
        **options,
    }
    known = {parts["user"]: parts.get("password", ""), **dict.fromkeys(users, "")}
    (folder / "users").write_text("".join(f'"{name}" "{password}"\n' for name, password in known.items()))
    (folder / "ini").write_text(
        f"[databases]\n{parts['dbname']} = {way}\n[pgbouncer]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items())
    )
    as_user: dict[str, Any] = {}
    if user is not None:
        for path in (folder, folder / "users", folder / "ini"):
            os.chown(path, user.pw_uid, user.pw_gid)
        folder.chmod(0o755)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={folder}&port=6432"
    made = Pgbouncer([program, folder / "ini"], folder, url, as_user)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def _until_it_answers(conninfo: str, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.05)
