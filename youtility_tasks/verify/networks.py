"""Several hosts on one machine: network namespaces that are plugged into one switch, whose cables can be pulled out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NEW_NETWORK = 0x40000000
_SUBNET = "198.18.9"
"""Of the addresses for trials of networks (RFC 2544); it exists inside the namespaces alone."""


class NotPermitted(Exception):
    """Namespaces cannot be made here."""


@dataclass(frozen=True, slots=True)
class Host:
    """A network of its own. Files, sockets in the file system and process ids are those of this machine."""

    name: str
    address: str
    switch: str

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread starts or connects inside the block is on that host."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(Path("/run/netns", self.name))
            try:
                yield
            finally:
                _set_namespace(here)
        finally:
            os.close(here)

    def pids(self) -> list[int]:
        """Its processes."""
        said = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, timeout=20)  # noqa: S603, S607
        return [int(pid) for pid in said.stdout.split()]

    def cut_off(self) -> None:
        """Pull its cable out: what either side sends is gone, and nobody is told."""
        _ip("-n", self.switch, "link", "set", self.name, "down")

    def reconnect(self) -> None:
        _ip("-n", self.switch, "link", "set", self.name, "up")

    def die(self) -> list[int]:
        """The power fails: all its processes end, and say no word to anybody. Whoever it was."""
        self.cut_off()
        ended = self.pids()
        for pid in ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return ended


@contextlib.contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """So many hosts, each of which hears all others. Raises NotPermitted, which says why."""
    if shutil.which("ip") is None:
        raise NotPermitted("`ip` is not installed; on Debian: apt-get install iproute2")
    if os.geteuid() != 0:
        raise NotPermitted("only root may make network namespaces; run it as root")
    mark = secrets.token_hex(2)
    switch = f"yt{mark}"
    with contextlib.ExitStack() as undo:
        _namespace(switch, undo)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        yield [_plugged_in(f"yt{mark}{name}", switch, number, undo) for number, name in enumerate(names, 1)]


def _namespace(name: str, undo: contextlib.ExitStack) -> None:
    _ip("netns", "add", name)
    undo.callback(_ip, "netns", "del", name)
    _ip("-n", name, "link", "set", "lo", "up")


def _plugged_in(name: str, switch: str, number: int, undo: contextlib.ExitStack) -> Host:
    _namespace(name, undo)
    _ip("-n", switch, "link", "add", name, "type", "veth", "peer", "name", "cable", "netns", name)
    _ip("-n", switch, "link", "set", name, "master", "bridge", "up")
    _ip("-n", name, "addr", "add", f"{_SUBNET}.{number}/24", "dev", "cable")
    _ip("-n", name, "link", "set", "cable", "up")
    return Host(name, f"{_SUBNET}.{number}", switch)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20)  # noqa: S603, S607
    if done.returncode:
        raise NotPermitted(f"`ip {' '.join(words)}`: {done.stderr.strip()}")


def _enter(path: Path) -> None:
    found = os.open(path, os.O_RDONLY)
    try:
        _set_namespace(found)
    finally:
        os.close(found)


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns comes with Python 3.12
    if libc.setns(descriptor, _NEW_NETWORK):
        raise NotPermitted(os.strerror(ctypes.get_errno()))
