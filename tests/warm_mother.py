"""The process behind `tests.warm`: it has imported the libraries, and forks for each `python -m` that is to be started.

Of this project it imports nothing, and it reads no settings: what it forks is, from there on, what a new interpreter would be.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LIBRARIES = (
    *("cryptography.hazmat.primitives.ciphers.aead", "encodings.ascii", "prometheus_client.core", "psutil"),
    *("rich.console", "rich.table"),
    *("procrastinate.builtin_tasks", "procrastinate.contrib.django.apps", "pydantic.plugin._loader", "pydantic.main"),
    *("django.conf.urls", "django.core.cache.backends.locmem", "django.core.management.commands.migrate"),
    *("django.contrib.admin.apps", "django.contrib.auth.apps", "django.contrib.contenttypes.apps"),
    *("django.contrib.messages.apps", "django.contrib.postgres.apps", "django.contrib.sessions.apps"),
    *("django.contrib.admin.templatetags.admin_list", "django.contrib.admin.templatetags.admin_modify"),
    *("django.contrib.admin.templatetags.log", "django.contrib.admin.views.decorators", "django.contrib.auth.hashers"),
    *("django.contrib.auth.password_validation", "django.contrib.auth.tokens", "django.contrib.auth.validators"),
    *("django.contrib.messages.middleware", "django.contrib.postgres.fields", "django.contrib.sessions.middleware"),
    *("django.contrib.staticfiles.apps", "django.db.backends.postgresql.base", "django.middleware.common"),
    *("django.middleware.security", "django.templatetags.cache", "django.templatetags.l10n", "django.templatetags.tz"),
    *("django.utils.translation.reloader", "django.views.csrf", "django.views.debug", "django.views.decorators.http"),
    *("django_tasks.apps", "django_tasks.checks", "django_tasks.signals"),
)
"""What all commands of the project import, as far as it can be imported without settings."""
ROOM_FOR_WORDS = 4096
"""Of the command line that the system shows; each process writes its own over it."""


@dataclass(frozen=True)
class Wish:
    """What is to be started."""

    words: list[str]
    """`[python, "-m", module, ...]`."""
    cwd: str
    env: dict[str, str]
    new_session: bool


def serve(wishes: socket.socket) -> Wish | None:
    """Fork for each wish; returns one in the process that shall fulfil it, and None where nobody can wish any more."""
    poll = select.poll()
    poll.register(wishes, select.POLLIN)
    alive: dict[
        int, tuple[int, socket.socket]
    ] = {}  # by the descriptor that tells of its end: its pid, who waits for it
    while True:
        for fd, _ in poll.poll():
            if fd in alive:
                pid, asker = alive.pop(fd)
                poll.unregister(fd)
                os.close(fd)
                _, status = os.waitpid(pid, 0)
                with asker, contextlib.suppress(OSError):
                    asker.sendall(struct.pack("i", status))
                continue
            _, fds, _, _ = socket.recv_fds(wishes, 1, 4)
            if not fds:
                return None
            asker = socket.socket(fileno=fds[0])
            wish = Wish(**json.loads(_received(asker)))
            pid = os.fork()
            if not pid:
                for each in (wishes, asker, *(waiting for _, waiting in alive.values())):
                    each.detach()  # or it would close a number that is another's by then
                for number in range(3):
                    os.dup2(fds[number + 1], number)
                return wish
            for each in fds[1:]:
                os.close(each)
            asker.sendall(struct.pack("i", pid))
            end = os.pidfd_open(pid)
            alive[end] = pid, asker
            poll.register(end, select.POLLIN)


def become(wish: Wish) -> None:
    """Forget where this process comes from, and run the module as `python -m` does."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if wish.new_session:
        os.setsid()
    os.environ.clear()
    os.environ.update(wish.env)
    time.tzset()
    os.chdir(wish.cwd)
    show(wish.words)
    sys.orig_argv[:] = wish.words
    sys.argv[:] = wish.words[2:]
    ahead = [path for path in wish.env.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [wish.cwd, *ahead]
    importlib.invalidate_caches()
    runpy.run_module(wish.words[2], run_name="__main__", alter_sys=True)


def show(words: list[str]) -> None:
    """Have `ps` and all who look for processes by their command line see this one."""
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(stat[45]), int(stat[46])
    ctypes.memmove(start, b"\0".join(map(os.fsencode, words))[: end - start - 1].ljust(end - start, b"\0"), end - start)


def _received(asker: socket.socket) -> bytes:
    def exactly(size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = asker.recv(size - len(data))
            assert more, "whoever wished is gone"
            data += more
        return data

    return exactly(*struct.unpack("I", exactly(4)))


def main() -> None:
    for each in LIBRARIES:
        importlib.import_module(each)
    gc.collect()
    gc.freeze()
    wish = None
    with contextlib.suppress(KeyboardInterrupt):
        wish = serve(socket.socket(fileno=int(sys.argv[1])))
    if wish is not None:
        become(wish)


if __name__ == "__main__":
    main()
