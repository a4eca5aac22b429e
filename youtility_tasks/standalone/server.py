"""The embedded PostgreSQL: make it, start it, share it, stop it. For laptops, demonstrations and tests; no TLS.

Several processes share one server: each holds a shared lock while it uses it, and the last one out stops it.
A server that was killed is simply started again; PostgreSQL recovers, however long that takes.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

import psycopg
from psycopg.conninfo import make_conninfo

from . import binaries, home
from .errors import ServerFailed

ROLE = "youtility"
DATABASE = "youtility"
_SOCKET_PATH_LIMIT = 100  # bytes; the kernel's is 107 with the file name
_ORPHANS_LEAVE_S = 30.0


class Server:
    """One cluster below one state folder. Nothing outside that folder (and its socket folder) is made or opened."""

    def __init__(self, folder: Path, *, options: Sequence[str] = ()) -> None:
        self.folder, self.options = Path(os.path.abspath(folder)), list(options)
        self.data, self.log = self.folder / "data", self.folder / "postgres.log"
        self.sockets = socket_folder(self.folder)

    @functools.cached_property
    def user(self) -> pwd.struct_passwd | None:
        """As whom the server runs, when that is not the present user."""
        return home.server_user()

    def conninfo(self, dbname: str = DATABASE) -> str:
        """For libpq and psycopg: by its socket, as it listens on no port."""
        return make_conninfo("", host=str(self.sockets), user=ROLE, dbname=dbname)

    def url(self, dbname: str = DATABASE) -> str:
        """For DATABASE_URL."""
        return f"postgresql://{ROLE}@/{dbname}?host={quote(str(self.sockets))}"

    @contextlib.contextmanager
    def in_use(self, *, keep: bool = False) -> Iterator[Server]:
        """Have the server run inside the block; the last user stops it, unless `keep`."""
        with self._lock_file("users.lock") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            self.start()
            try:
                yield self
            finally:
                if not keep:
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        self.stop()

    def start(self) -> None:
        """Make the cluster if there is none and start it if it does not run; returns when it answers.

        Raises ServerFailed with the end of the server's log.
        """
        with self._lock_file("start.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            while self.pid() is not None:  # whoever started it may be gone while it still recovers
                if self._answers():
                    return
                time.sleep(0.02)
            programs = self._reachable(binaries.find())
            self._make_cluster(programs)
            self._make_closed_folder(self.sockets)
            self._start(programs)
            self._make_database()

    def stop(self) -> None:
        """Stop the server, if it runs, and wait until it has."""
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        while self.pid() == pid:
            time.sleep(0.02)

    def copy_from(self, conninfo: str) -> None:
        """Make the cluster a copy of a running one, which it will follow once it is started."""
        home.make_folder(self.folder)
        self._make_closed_folder(self.data)
        self.run("pg_basebackup", "-d", conninfo, "-D", self.data, "-R", "-c", "fast")

    def run(self, program: str, *words: str | Path) -> str:
        """Run one of PostgreSQL's programs (`pg_basebackup`) as the server's user; what it said. Raises ServerFailed."""
        programs = self._reachable(binaries.find())
        done = subprocess.run(  # noqa: S603
            [programs.bin / program, *words], capture_output=True, text=True, **self._as_user()
        )
        if done.returncode:
            raise ServerFailed(f"{program} failed for {self.data}:\n{done.stdout}{done.stderr}")
        said: str = done.stdout
        return said

    def pid(self) -> int | None:
        """The running server's process, or None; a file left behind by a killed one does not count."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            pid = int(lines[0])
            if Path(lines[1]) != self.data:
                return None
            _reap(pid)  # a server that this very process started and somebody killed is no server
            os.kill(pid, 0)
        except (OSError, ValueError, IndexError):
            return None
        return pid if _is_postgres(pid, self.data) else None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.conninfo("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _start(self, programs: binaries.Binaries) -> None:
        postgres, data, sockets = str(programs.bin / "postgres"), str(self.data), str(self.sockets)
        command = [postgres, "-D", data, "-k", sockets, "-h", "", *self.options]
        give_up = time.monotonic() + _ORPHANS_LEAVE_S
        while True:
            with self.log.open("ab") as log:
                process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self._as_user()
                )
            # No limit while it lives: after a crash it may have hours of log to replay.
            while process.poll() is None:
                if self._answers():
                    _forget(process)
                    return
                time.sleep(0.02)
            # A killed server and its sessions are gone within moments; until then the new one refuses to start.
            in_the_way = any(
                said in self._log_tail() for said in ("pre-existing shared memory", 'lock file "postmaster.pid"')
            )
            if not in_the_way or time.monotonic() > give_up:
                raise ServerFailed(
                    f"PostgreSQL did not start from {self.data}. The end of {self.log}:\n{self._log_tail()}"
                )
            self.pid()  # if the killed one was a child of ours, it is gone only once somebody has asked
            time.sleep(0.2)

    def _make_cluster(self, programs: binaries.Binaries) -> None:
        if self.data.is_dir():
            self._check_owner(self.data)
            version = self.data / "PG_VERSION"
            made_by = version.read_text(encoding="ascii").strip()
            if made_by != str(programs.version):
                raise ServerFailed(
                    f"{self.data} was made by PostgreSQL {made_by}, and the programs here are {programs.version}. "
                    f"Point YOUTILITY_POSTGRES_BIN at version {made_by}, or YOUTILITY_HOME at another folder."
                )
            return
        half = self.folder / "data.half"  # an initdb that was killed leaves nothing that looks finished
        shutil.rmtree(half, ignore_errors=True)
        self._make_closed_folder(half)
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if programs.version >= 17 else ["--locale=C"]
        made = subprocess.run(  # noqa: S603
            [programs.bin / "initdb", "-D", half, "-U", ROLE, "-A", "trust", "-E", "UTF8", *locale],
            capture_output=True,
            text=True,
            **self._as_user(),
        )
        if made.returncode:
            raise ServerFailed(f"initdb failed in {half}:\n{made.stdout}{made.stderr}")
        half.rename(self.data)

    def _make_database(self) -> None:
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f'CREATE DATABASE "{DATABASE}"')

    def _reachable(self, found: binaries.Binaries) -> binaries.Binaries:
        """The programs where the server's user can run them: a copy, if they lie below a closed folder."""
        if self.user is None:
            return found
        passes = subprocess.run(["/bin/sh", "-c", 'cd "$0"', self.folder], capture_output=True, **self._as_user())  # noqa: S603
        if passes.returncode:
            raise ServerFailed(
                f"The state folder {self.folder} lies below a folder that is closed to the user {self.user.pw_name!r}, as "
                "whom PostgreSQL runs when you are root, and we open no folder of yours. Name another with YOUTILITY_HOME."
            )
        try:
            subprocess.run([found.bin / "postgres", "--version"], check=True, capture_output=True, **self._as_user())  # noqa: S603
        except (OSError, subprocess.CalledProcessError):
            copies = self.folder / f"programs-{found.release}"
            home.make_folder(copies)
            return found.copied_to(copies)
        return found

    def _lock_file(self, name: str) -> TextIO:
        home.make_folder(self.folder)
        try:
            return (self.folder / name).open("a")
        except OSError as error:
            raise ServerFailed(
                f"The state folder {self.folder} cannot be used: {error.strerror}. Name one of your own with YOUTILITY_HOME."
            ) from error

    def _make_closed_folder(self, path: Path) -> None:
        """Make a folder that only the server's user may enter; one that exists must be exactly his and is left as it is."""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            self._check_owner(path)
            return
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def _check_owner(self, path: Path) -> None:
        owner, expected = path.lstat().st_uid, self.user.pw_uid if self.user is not None else os.geteuid()
        if owner != expected:
            raise ServerFailed(
                f"{path} belongs to user {owner}, and PostgreSQL would run as user {expected}. "
                "Run as its owner, or name another state folder with YOUTILITY_HOME."
            )

    def _as_user(self) -> dict[str, Any]:
        """How a program is run: with a clean environment and, for root, as the server's user."""
        clean: dict[str, Any] = {"env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, "cwd": "/"}
        if self.user is None:
            return clean
        return {**clean, "user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def _log_tail(self) -> str:
        try:
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        except OSError:
            return "(no log)"


def socket_folder(folder: Path) -> Path:
    """Where the server of a state folder listens: inside it, or in a short path made from it.

    The latter where the former is too long for a socket, or would be several folders to PostgreSQL, which reads a list.
    """
    inside = folder / "socket"
    fits = len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT - len("/.s.PGSQL.5432")
    if fits and not set(str(inside)) & set(',"'):
        return inside
    return Path(tempfile.gettempdir()) / f"yt-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def _is_postgres(pid: int, data: Path) -> bool:
    """Whether the process is a server of this cluster; after a reboot its number may belong to anybody."""
    if sys.platform != "linux":
        return True
    try:
        return str(data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _forget(process: subprocess.Popen[bytes]) -> None:
    """Let the server outlive its starter without a warning about a child nobody waited for."""
    process.returncode = 0


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
