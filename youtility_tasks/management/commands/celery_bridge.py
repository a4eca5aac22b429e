"""`celery_bridge VERB`: move an application from Celery, task by task, and back.

status        of each task: its route, what ended and waits on each side, the last error, what parity says
route         send the calls of tasks to celery, shadow, canary P% or postgres
rollback      send them back to Celery: one task, or all
move          what waits on one side to the other, each call once; ends what a killed move has left
adopt         what waits in Redis becomes jobs, once no worker consumes it
results       what django-celery-results has kept becomes history
parity        whether it is safe to switch: exit status 0 if it is
verify        the whole move, proven on a Redis, a Celery and a database of its own

`celery_bridge VERB --help` shows its words and lines to copy. Each takes --json: one JSON document on stdout, also for a refusal.
Exit status: 0 done (or safe), 1 refused or not found (or not safe), 2 bad usage.
"""

from __future__ import annotations

import argparse
import sys
import time
from argparse import Namespace
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, OperationalError

from youtility_tasks.errors import YoutilityTaskError
from youtility_tasks.management import printing
from youtility_tasks.management.bridging import VERBS
from youtility_tasks.management.verbs import arguments, scope
from youtility_tasks.management.verbs.answer import BAD_USAGE, REFUSED, BadUsage

_INTERRUPTED = 130
"""As a shell reports Ctrl-C."""


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()  # a mistake elsewhere must not keep an operator from rolling back

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        for verb in VERBS:
            words = verbs.add_parser(
                verb.NAME,
                description=verb.HELP,
                epilog="examples:\n" + "\n".join(f"  celery_bridge {each}" for each in verb.EXAMPLES),
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            verb.add_arguments(words)
            if getattr(verb, "CAN_WATCH", False):
                words.add_argument(
                    "--watch",
                    nargs="?",
                    type=arguments.watch_s,
                    const=2.0,
                    metavar="SECONDS",
                    help="show it again every so often (default: 2), until Ctrl-C",
                )
            words.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = next(each for each in VERBS if options["verb"] == each.NAME)
        as_json = options["as_json"]
        again_s = options.get("watch")
        try:
            words = Namespace(**options)
            if again_s is not None and as_json:
                raise BadUsage("--json is one document, and --watch shows many: give one of them.")
            with scope.entered(verb.SCOPE, words):
                answer = verb.run(words)
                while again_s is not None:
                    printing.as_page(self.stdout, answer.page, on_clear_screen=True)
                    time.sleep(again_s)
                    answer = verb.run(words)
        except KeyboardInterrupt:
            sys.exit(0 if again_s is not None else _INTERRUPTED)
        except BadUsage as error:
            self._end(error, BAD_USAGE, as_json=False)
        except YoutilityTaskError as error:
            self._end(error, REFUSED, as_json=as_json)
        except OperationalError as error:
            self._end(
                error,
                REFUSED,
                as_json=as_json,
                advice="The database does not answer; `manage_task_queue doctor` says more.",
            )
        except Error as error:
            advice = "`setup_task_queue --check` says what the schema lacks, and `setup_task_queue` completes it."
            self._end(error, REFUSED, as_json=as_json, advice=advice)
        if as_json:
            printing.as_json(self.stdout, answer.document)
        else:
            printing.as_page(self.stdout, answer.page)
        for problem in answer.problems:
            self.stderr.write(problem)
        if answer.code:
            sys.exit(answer.code)

    def _end(self, error: Exception, code: int, *, as_json: bool, advice: str = "") -> NoReturn:
        # Of the database's own errors the first line: the rest points into our SQL.
        said = f"{str(error).strip().splitlines()[0]}. {advice}" if advice else str(error)
        if as_json:
            printing.as_json(self.stdout, {"ok": False, "error": {"type": type(error).__name__, "message": said}})
        self.stderr.write(said)
        sys.exit(code)
