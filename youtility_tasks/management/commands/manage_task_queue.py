"""`manage_task_queue VERB`: look at the queue and act on it.

stats         the queues now, and what ended in the last hour
monitor       all of it on one screen, refreshed; acts by keys
workers       the worker processes and their children: list, show, quiet, drain, resume
tasks         what is registered; of one task also how it has gone
jobs          what waits, runs, has failed or has ended
show          one job with every attempt
submit        enqueue one job
retry         give dead letters a fresh set of attempts
cancel        take waiting jobs off, ask running ones to end
discard       take dead letters out for good
dead-letters  what has failed for good
operations    an act on all that a search means: preview, begin, list, show, stop, undo
pause         let no job of a queue, a task or a tenant start
resume        end a pause
limits        list what is limited or paused; set, clear
schedule      what is made again and again: list, show, add, set, preview, pause, resume, run, remove; holidays
workflow      runs and their steps: list, show, start, signal, cancel, retry; templates
why           why a job does not run, and when it may
cleanup       remove what is past its retention
doctor        what is wrong, and what to do
tenants       list, add, deactivate
tokens        of the HTTP API: list, create, revoke
rekey         seal secret arguments anew under the newest key
audit         who did what, and why

`manage_task_queue VERB --help` shows its words and lines to copy. Colours: none where NO_COLOR is set, or nobody looks.
Each takes --json: one JSON document on stdout, also for a refusal; logs and messages go to stderr.
Exit status: 0 done, 1 refused or not found (or the doctor found a problem), 2 bad usage.
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
from youtility_tasks.management.verbs import VERBS, arguments, scope
from youtility_tasks.management.verbs.answer import BAD_USAGE, REFUSED, BadUsage

_INTERRUPTED = 130
"""As a shell reports Ctrl-C."""


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()  # the doctor reports them; a mistake elsewhere must not keep an operator out

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
                epilog="examples:\n" + "\n".join(f"  manage_task_queue {each}" for each in verb.EXAMPLES),
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
            self._end(error, REFUSED, as_json=as_json, advice="The database does not answer; `doctor` says more.")
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
