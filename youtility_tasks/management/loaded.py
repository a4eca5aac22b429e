"""The end of what `youtility_tasks/__init__.py` begins in a process that is ours from its start."""

from __future__ import annotations

import gc


def is_all() -> None:
    """What is loaded by now stays until the process ends: the garbage collector leaves it alone, and looks after the rest from here on."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
