"""Where a shadow is played: everything that could be seen outside is kept back, and told afterwards.

Rows: every database's transaction is rolled back, statements that would end it are refused, and whatever connection is opened
meanwhile (by a thread, or past Django) may only read. Mails go to a backend that counts them. Files, programs, signals to other processes and connections to the network
are refused by an audit hook of the interpreter, which sees all threads; only a folder that goes with the shadow takes files.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import Error, connections, transaction
from django.db.backends.signals import connection_created

from youtility_tasks import rehearsal
from youtility_tasks.conf import settings
from youtility_tasks.errors import KeptBack
from youtility_tasks.rehearsal import Rehearsal

_LOCK_WAIT_MS = 2_000
"""Rows that the real run holds are waited for so long: it may wait for ours no longer than the task's time limit."""
_READS_ONLY = "-c default_transaction_read_only=on"
_ENDS = re.compile(
    r"\s*(COMMIT|END|ABORT|ROLLBACK(?!\s+(WORK\s+|TRANSACTION\s+)?TO)|PREPARE\s+TRANSACTION)\b", re.IGNORECASE
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OF_PATHS = {
    "os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.link": 2, "os.symlink": 2, "os.truncate": 1, "os.chmod": 1,
    "os.chown": 1, "os.utime": 1, "os.setxattr": 1, "os.removexattr": 1,
}  # fmt: skip
"""Events of the interpreter about files -> how many of their arguments are paths."""
_PROGRAMS = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "pty.spawn",
        "os.startfile",
    }
)
_NETWORK = frozenset({"socket.connect", "socket.sendto", "socket.bind"})
_LOCKED = frozenset({"55P03", "40P01"})


@contextlib.contextmanager
def rehearsing() -> Iterator[Rehearsal]:
    """Inside the block nothing is done that is seen outside; what was kept back is in the Rehearsal."""
    _hook()
    playing = Rehearsal()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_folder_of_its_own())
        aliases = [
            each for each in sorted({*connections, settings().database}) if connections[each].vendor == "postgresql"
        ]
        for alias in aliases:
            connections[
                alias
            ].ensure_connection()  # before others may only read: what is noted afterwards goes through it
        stack.enter_context(_only_reads_elsewhere())
        for alias in aliases:
            stack.enter_context(_rolled_back(alias, playing))
        stack.enter_context(_no_mail(playing))
        before, rehearsal.now = rehearsal.now, playing
        try:
            yield playing
        finally:
            rehearsal.now = before


def is_blocked(error: BaseException | None) -> bool:
    """Whether a shadow ended because somebody held a row that it wanted."""
    return isinstance(error, Error) and getattr(error.__cause__, "sqlstate", None) in _LOCKED


# -- rows


@contextlib.contextmanager
def _rolled_back(alias: str, playing: Rehearsal) -> Iterator[None]:
    connection = connections[alias]

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if isinstance(sql, str) and _ENDS.match(sql):
            playing.keep_back("a statement that ends its transaction")
            raise KeptBack("A shadow may not end its transaction: all of it is rolled back.")
        return execute(sql, params, many, context)

    with transaction.atomic(using=alias):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = off")
            cursor.execute(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}")
        try:
            with connection.execute_wrapper(refuse):
                yield
        finally:
            connection.set_rollback(True)


@contextlib.contextmanager
def _only_reads_elsewhere() -> Iterator[None]:
    """Connections that are opened meanwhile: by libpq's own variable where nobody names options, and Django's by a statement."""
    before = os.environ.get("PGOPTIONS")
    os.environ["PGOPTIONS"] = f"{before or ''} {_READS_ONLY}".strip()
    connection_created.connect(_read_only, dispatch_uid="youtility_tasks.stage")
    try:
        yield
    finally:
        connection_created.disconnect(dispatch_uid="youtility_tasks.stage")
        if before is None:
            del os.environ["PGOPTIONS"]
        else:
            os.environ["PGOPTIONS"] = before


def _read_only(sender: object, connection: Any, **_: Any) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")


# -- mails


@contextlib.contextmanager
def _no_mail(playing: Rehearsal) -> Iterator[None]:
    class Counting(BaseEmailBackend):
        """Sends nothing."""

        def send_messages(self, email_messages: Sequence[Any]) -> int:
            playing.keep_back("a mail")
            return len(list(email_messages))

    before = mail.get_connection
    mail.get_connection = lambda *args, **kwargs: Counting()
    try:
        yield
    finally:
        mail.get_connection = before


# -- files, programs, the network


@contextlib.contextmanager
def _folder_of_its_own() -> Iterator[None]:
    folder, before, writes = tempfile.mkdtemp(prefix="youtility-shadow-"), tempfile.tempdir, sys.dont_write_bytecode
    tempfile.tempdir = _own.folder = os.path.realpath(folder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        tempfile.tempdir, _own.folder, sys.dont_write_bytecode = before, None, writes
        shutil.rmtree(folder, ignore_errors=True)


class _Own:
    folder: str | None = None
    is_hooked = False


_own = _Own()


def _hook() -> None:
    if not _own.is_hooked:  # the interpreter takes none back
        _own.is_hooked = True
        sys.addaudithook(_watch)


def _watch(event: str, args: tuple[Any, ...]) -> None:
    playing = rehearsal.now
    if playing is None:
        return
    if event == "open":
        path, mode, flags = args
        if _is_writing(mode, flags) and not _is_its_own(path):
            _refuse(playing, "a file")
    elif event in _OF_PATHS:
        if not all(_is_its_own(path) for path in args[: _OF_PATHS[event]]):
            _refuse(playing, "a file")
    elif event in _PROGRAMS:
        _refuse(playing, "a program")
    elif event == "os.kill" and args[0] != os.getpid():
        _refuse(playing, "a signal to another process")
    elif event in _NETWORK and not (event == "socket.bind" and args[0].family == socket.AF_UNIX):
        _refuse(playing, "a connection to the network")
    elif event == "sqlite3.connect" and not _is_its_own(args[0]) and args[0] != ":memory:":
        _refuse(playing, "a file")


def _refuse(playing: Rehearsal, what: str) -> None:
    playing.keep_back(what)
    raise KeptBack(f"A shadow wanted {what}, which is seen outside. It was kept back.")


def _is_writing(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITES)


def _is_its_own(path: Any) -> bool:
    if isinstance(path, int):  # a file that is open already
        return True
    try:
        real = os.path.realpath(os.fsdecode(path))
    except (TypeError, ValueError):
        return False
    folder = _own.folder
    return real == os.devnull or (folder is not None and (real == folder or real.startswith(folder + os.sep)))
