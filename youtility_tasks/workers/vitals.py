"""What a service manager is told: that all workers serve, that their heartbeats go round, that they are about to leave.

systemd reads datagrams (`NOTIFY_SOCKET`, sd_notify(3)); containers have a probe look at a file's time (`--alive-file`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from youtility_tasks.conf import settings

from .pulse import Pulse

_BETWEEN_S = 1.0
"""Signs of life come no oftener."""


def longest_turn_s() -> float:
    """The longest time between two beats of a healthy worker, in seconds.

    Its wait, the renewal, and before that the two statements of another duty that a renewal may have to wait for.
    """
    return settings().heartbeat_interval_s + 3 * settings().statement_deadline_s


class Vitals:
    """The supervisor's word to whoever started it. Without a socket and a file every call does nothing.

    `patience_s`: after so long without a beat of one worker there are no more signs of life.
    """

    def __init__(self, address: str | None = None, *, alive_file: Path | None = None, patience_s: float = 0.0) -> None:
        self._address, self._alive_file = address, alive_file
        self._patience_s = patience_s or longest_turn_s()
        self._is_ready, self._said_at = False, float("-inf")
        if alive_file is not None:
            alive_file.unlink(missing_ok=True)

    @classmethod
    def asked_for_by(cls, environ: Mapping[str, str], *, alive_file: Path | None = None) -> Vitals:
        """As systemd's variables say; a watchdog that is meant for another process is none of ours.

        Where it expects a sign more often than the longest turn, a worker that is silent for so long is silent.
        """
        is_ours = environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        given = environ.get("WATCHDOG_USEC", "")
        watchdog_s = int(given) / 1e6 if is_ours and given.isdecimal() else 0.0
        return cls(environ.get("NOTIFY_SOCKET"), alive_file=alive_file, patience_s=watchdog_s)

    def look(self, pulses: Mapping[str, Pulse]) -> None:
        """Say that all serve once they do, and then once a second that they live, while they do; else which does not."""
        if time.monotonic() < self._said_at + _BETWEEN_S:
            return
        if not self._is_ready:
            if not all(pulse.has_registered() for pulse in pulses.values()):
                return
            self._is_ready = True
            self._say("READY=1")
        self._said_at = time.monotonic()
        silent = [name for name, pulse in pulses.items() if pulse.silent_s() > self._patience_s]
        if silent:
            self._say(f"STATUS=no heartbeat of {', '.join(silent)}")
            return
        self._say("WATCHDOG=1", f"STATUS=serving {', '.join(pulses)}")
        if self._alive_file is not None:
            # A full or vanished disk is the probe's finding, not the workers' end.
            with contextlib.suppress(OSError):
                self._alive_file.touch()

    def stopping(self) -> None:
        """Say that what runs is being ended."""
        self._say("STOPPING=1", "STATUS=ending what runs")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        # A leading @ stands for a socket without a file (unix(7), abstract).
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # A manager that does not read, or is gone, must not hold up the workers.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            way.sendto("\n".join(lines).encode(), address)


VARIABLES: Sequence[str] = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Taken out of the environment before the first fork: a task's own programs do not speak for us."""
