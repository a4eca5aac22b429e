"""`youtility-tasks X`: any management command on the bundled project, with a database at hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from django.core.management import execute_from_command_line

from . import database
from .errors import StandaloneError

_WITHOUT_DATABASE = {"help", "--help", "-h", "version", "--version", "check", "makemigrations"}
_MAKE_IT_READY = {"migrate", "setup_task_queue", "play_company_day", "up", "sqlmigrate", "showmigrations"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["help"]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "youtility_tasks.standalone.settings")
    try:
        if words[0] in _WITHOUT_DATABASE or "--help" in words:
            _run(words)
            return 0
        with database.at_hand():
            if words[0] not in _MAKE_IT_READY and not database.is_set_up():
                _say("This database has no tables yet. Run `youtility-tasks setup_task_queue` first.")
                return 1
            _run(words)
    except StandaloneError as error:
        _say(str(error))
        return 1
    return 0


def _run(words: list[str]) -> None:
    execute_from_command_line(["youtility-tasks", *words])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
