"""What runs in the process that compares photos: `python -m ... MODULE:CLASS DESCRIPTOR MEMORY_MB`.

One JSON object a line is asked and answered on the socket that it inherits; it leaves when the other end is closed.
"""

from __future__ import annotations

import importlib
import json
import math
import resource
import select
import signal
import socket
import sys
from typing import Any

LEAVES_AFTER_S = 600
"""Without a question it leaves, so that a model is not kept in memory for the one photo of a night."""


class NoFaceIn(Exception):
    """`NoFaceIn("probe")`: there is no face in that picture."""


class UnreadableFile(Exception):
    """`UnreadableFile("probe", why)`: that file is no picture."""


def main(engine: str, descriptor: int, memory_mb: int) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    _limit(resource.RLIMIT_DATA, memory_mb * 1024 * 1024)  # not the address space: models are mapped, not owned
    _limit(resource.RLIMIT_CORE, 0)
    made: Any = None
    with socket.socket(fileno=descriptor) as line, line.makefile("rb") as questions:
        while select.select([line], [], [], LEAVES_AFTER_S)[0] and (question := questions.readline()):
            asked = json.loads(question)
            # The kernel ends the process at that moment, also inside C code that never comes back to Python, and also if
            # whoever asked has died meanwhile.
            signal.alarm(max(1, math.ceil(asked["timeout_s"]) + 1))
            try:
                made = made or _engine(engine)
                answer: dict[str, Any] = {"distance": float(made.compare(asked["reference"], asked["probe"]))}
            except NoFaceIn as none:
                answer = {"no_face": none.args[0]}
            except UnreadableFile as bad:
                answer = {"unreadable": bad.args[0], "why": str(bad.args[1])}
            except ImportError as error:
                answer = {"missing": str(error)}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            signal.alarm(0)
            line.sendall(json.dumps(answer).encode() + b"\n")


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (allowed, allowed))


def _engine(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)()


if __name__ == "__main__":
    # This file is then called __main__, and engines raise the exceptions of the module by its name.
    importlib.import_module("task_catalog.ports.faces.process").main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
