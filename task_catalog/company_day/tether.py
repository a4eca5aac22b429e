"""Runs a command that must not outlive its starter: `python -m task_catalog.company_day.tether COMMAND [ARGUMENT ...]`.

Standard input is the tether: when it ends, because the starter closed it or was killed, the whole process group is
killed. When this process itself is killed, the command is too (Linux). SIGTERM is passed on.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1


def main() -> int:
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: S603
    signal.signal(signal.SIGTERM, lambda *_: command.terminate())
    threading.Thread(target=_watch_starter, daemon=True).start()
    return command.wait()


def _watch_starter() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os.killpg(0, signal.SIGKILL)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
