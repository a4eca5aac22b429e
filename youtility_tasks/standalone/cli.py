"""`youtility-tasks X`: any management command on the bundled project, with a database at hand."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

import django
from django.apps import apps
from django.core.management import execute_from_command_line, get_commands, load_command_class
from django.core.management.base import BaseCommand

from . import database
from .errors import BadUsage, NotSetUp, StandaloneError, UnknownApp, UnknownCommand, WrongEnvironment

_HELP = {"help", "--help", "-h"}
_NO_COMMANDS = {*_HELP, "version", "--version"}
"""Words that Django answers itself."""
_WITHOUT_DATABASE = {
    *_NO_COMMANDS,
    *("check", "makemigrations", "make_dashboards"),
    *("verify_task_queue", "bench_task_queue"),  # they make databases of their own
}
_OURS = {"youtility_tasks", "task_catalog"}
_MAKE_IT_READY = {"migrate", "setup_task_queue", "play_company_day", "up", "sqlmigrate", "showmigrations"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["help"]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "youtility_tasks.standalone.settings")
    if "DATABASE_URL" not in os.environ and words[0] not in _WITHOUT_DATABASE:
        os.environ.setdefault("YOUTILITY_ROLES", "1")  # before the settings are loaded; what we start inherits it
    try:
        _refuse_unknown(words)
        _refuse_bad_usage(words)
        if words[0] in _WITHOUT_DATABASE or not {"--help", "-h"}.isdisjoint(words):
            _run(words)
            return 0
        with database.at_hand():
            missing = [] if words[0] in _MAKE_IT_READY else database.missing_migrations()
            if missing:
                raise NotSetUp(f"This database lacks {_listed(missing)}. Run `youtility-tasks setup_task_queue` first.")
            _run(words)
    except BadUsage as error:
        _refuse(error, as_json="--json" in words)
        return 2
    except StandaloneError as error:
        _refuse(error, as_json="--json" in words)
        return 1
    except KeyboardInterrupt:
        return 130  # as a shell reports it
    return 0


def _run(words: list[str]) -> None:
    execute_from_command_line(["youtility-tasks", *words])


def _refuse_unknown(words: list[str]) -> None:
    """Raise UnknownCommand before a database is looked for."""
    asked = words[1:2] if words[0] in _HELP else words[:1]
    if not asked or asked[0] in _NO_COMMANDS or (words[0] in _HELP and asked[0].startswith("-")):
        return
    _load()
    known = get_commands()
    if asked[0] not in known:
        ours = [name for name, app in known.items() if str(app).split(".")[0] in _OURS]
        raise UnknownCommand(asked[0], ours, known)


def _refuse_bad_usage(words: list[str]) -> None:
    """Whatever the database is like, words that the command does not take are refused first: by its own parser, with 2."""
    if words[0] in _NO_COMMANDS:
        return
    found = get_commands()[words[0]]
    command = found if isinstance(found, BaseCommand) else load_command_class(found, words[0])
    command._called_from_command_line = True  # type: ignore[attr-defined]  # it then ends as it does when Django calls it
    taken = command.create_parser("youtility-tasks", words[0]).parse_args(words[1:])
    if words[0] == "check":
        for label in taken.args:
            if label not in apps.app_configs:
                raise UnknownApp(label, apps.app_configs)


def _load() -> None:
    named = os.environ["DJANGO_SETTINGS_MODULE"]
    try:
        django.setup()
    except ModuleNotFoundError as error:
        if error.name is None or not f"{named}.".startswith(f"{error.name}."):
            raise
        raise WrongEnvironment("DJANGO_SETTINGS_MODULE", named, "a module that can be imported from here") from error


def _listed(migrations: list[str]) -> str:
    return f"the migration {migrations[0]}" + (f" and {len(migrations) - 1} more" if migrations[1:] else "")


def _refuse(error: StandaloneError, *, as_json: bool) -> None:
    sys.stderr.write(f"{error}\n")
    if as_json:  # what the command itself would have answered
        refusal = {"ok": False, "error": {"type": type(error).__name__, "message": str(error)}}
        sys.stdout.write(json.dumps(refusal, indent=2) + "\n")
