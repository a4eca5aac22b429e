"""`run_postgresql_worker`: one worker process per queue until told to stop."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from youtility_tasks.errors import ConfigurationError
from youtility_tasks.workers.supervisor import Supervisor, shapes_of


class Command(BaseCommand):
    help = "Run the workers: one process per queue, each with child processes that run the tasks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queues", nargs="+", metavar="QUEUE", help="serve only these (default: all configured)")
        parser.add_argument("--processes", type=int, metavar="N", help="child processes per queue")
        parser.add_argument("--threads", type=int, metavar="N", help="sync tasks side by side in one child")
        parser.add_argument("--drain", action="store_true", help="end when nothing is left that is due")
        parser.add_argument("--json-logs", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("processes", "threads"):
            if options[name] is not None and options[name] < 1:
                raise CommandError(f"--{name} is {options[name]}; right is a whole number from 1.", returncode=2)
        _log_to_stderr(as_json=options["json_logs"])
        try:
            shapes = shapes_of(options["queues"], processes=options["processes"], threads=options["threads"])
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        sys.exit(Supervisor(shapes, drain=options["drain"]).run())


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _log_to_stderr(*, as_json: bool) -> None:
    """Log to stderr, unless the project has configured the root logger and did not ask for JSON."""
    root = logging.getLogger()
    if root.handlers and not as_json:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(
        _JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)-7s %(name)s %(message)s")
    )
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # procrastinate logs arguments at INFO, and arguments hold people's names.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
