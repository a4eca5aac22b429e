"""All of the queue on one screen of a terminal: `manage_task_queue monitor`.

`desk` asks the house, on a thread and a connection of its own; `rows` makes lines of the answers; `app`, `tables` and `dialogs` are
what textual shows. No statement of SQL is here, and without textual only `desk` and `rows` are imported.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterator

from youtility_tasks.errors import ExtraMissing, Refused

from . import desk, rows

__all__ = ["desk", "rows", "run"]


def run(tenant_id: int | None, *, interval_s: float = 2.0) -> None:
    """Show it until somebody quits. Raises ExtraMissing without textual, Refused where nobody looks."""
    if importlib.util.find_spec("textual") is None:
        raise ExtraMissing("monitor", "textual", "`manage_task_queue monitor --once` shows it once without.")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):  # it is drawn on the last
        raise Refused(
            "The monitor needs a terminal, and one of stdin, stdout and stderr is none. `monitor --once` prints it, --json for programs."
        )
    from .app import Monitor  # it imports textual, which only the extra brings

    with _no_log_on_the_screen(), desk.Desk(tenant_id) as asks:
        Monitor(asks, interval_s=interval_s).run()


@contextlib.contextmanager
def _no_log_on_the_screen() -> Iterator[None]:
    """Lines of the log that would be written across the tables go nowhere; those that go to files go on."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))]
    handlers = {each for logger in loggers for each in logger.handlers if isinstance(each, logging.StreamHandler)}
    on_screen = {each: each.stream for each in handlers if each.stream in (sys.stderr, sys.stdout)}
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for handler in on_screen:
            handler.setStream(nowhere)
        try:
            yield
        finally:
            for handler, stream in on_screen.items():
                handler.setStream(stream)
