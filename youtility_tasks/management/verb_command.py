"""A command whose first word is a verb: what it takes, what it prints, and how it ends.

A verb is a module with NAME, HELP, EXAMPLES, SCOPE, `add_arguments(words)` and `run(words)`, which returns an Answer; CAN_WATCH if it may be
shown again and again.
"""

from __future__ import annotations

import argparse
import sys
import time
from argparse import Namespace
from typing import Any, ClassVar, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, OperationalError

from youtility_tasks.errors import YoutilityTaskError
from youtility_tasks.management import loaded, printing, waiting
from youtility_tasks.management.verbs import Verbs, arguments, scope
from youtility_tasks.management.verbs.answer import BAD_USAGE, REFUSED, BadUsage

_INTERRUPTED = 130
"""As a shell reports Ctrl-C."""


class VerbCommand(BaseCommand):
    """Its subclass says `called`, as one types it, `verbs` and `help`."""

    called: ClassVar[str]
    verbs: ClassVar[Verbs]
    asked = ""
    """The verb that was typed, where that is known before its words are."""
    requires_system_checks = ()  # the doctor reports them; a mistake elsewhere must not keep an operator out

    def run_from_argv(self, argv: list[str]) -> None:
        self.asked = argv[2] if argv[2:] and argv[2] in self.verbs.names else ""
        super().run_from_argv(argv)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        known = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        for name in self.verbs.names:
            if self.asked not in ("", name):
                known.add_parser(name)  # to be told apart from what is no verb; its words nobody reads
                continue
            verb = self.verbs[name]
            words = known.add_parser(
                verb.NAME,
                description=verb.HELP,
                epilog="examples:\n" + "\n".join(f"  {self.called} {each}" for each in verb.EXAMPLES),
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
        loaded.is_all()
        verb = self.verbs[options["verb"]]
        as_json = options["as_json"]
        again_s = options.get("watch")
        try:
            words = Namespace(**options)
            if again_s is not None and as_json:
                raise BadUsage("--json is one document, and --watch shows many: give one of them.")
            with waiting.told(self.stderr), scope.entered(verb.SCOPE, words):
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
            advice = "The database does not answer; `manage_task_queue doctor` says more."
            self._end(error, REFUSED, as_json=as_json, advice=advice)
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
