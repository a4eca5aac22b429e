"""`run_postgresql_worker`: one worker process per queue until told to stop."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections

from youtility_tasks import databases, logs, tracing
from youtility_tasks.conf import settings
from youtility_tasks.doctor import safety, schema
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.management import loaded, words
from youtility_tasks.tenancy import roles
from youtility_tasks.workers import outlet, watched
from youtility_tasks.workers.supervisor import Supervisor, shapes_of
from youtility_tasks.workers.vitals import VARIABLES, Vitals

logger = logging.getLogger(__name__)

_MOST = 256
"""Processes, or threads, of one queue: a typing mistake must not fork until the host gives up."""


_TOLD_ALREADY = ("django_tasks", "django.tasks")
"""Django's loggers that have an INFO line for each start and each end: half of what a short job costs a child, and a line
of ours says it. Their errors pass, and a project that sets their level has it."""


def _queue(text: str) -> str:
    """An argparse type: a queue that is configured."""
    try:
        shapes_of([text], processes=None, threads=None)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


class Command(BaseCommand):
    help = "Run the workers: one process per queue, each with child processes that run the tasks."
    requires_system_checks = ("youtility_tasks",)
    """Those of what workers use; all others (models, pages) take longer than the rest of a start, and `check` makes them."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queues", nargs="+", type=_queue, metavar="QUEUE", help="serve only these (default: all configured)"
        )
        parser.add_argument("--processes", type=words.whole(1, _MOST), metavar="N", help="child processes per queue")
        parser.add_argument(
            "--threads", type=words.whole(1, _MOST), metavar="N", help="sync tasks side by side in one child"
        )
        parser.add_argument("--drain", action="store_true", help="end when nothing is left that is due")
        parser.add_argument(
            "--alive-file",
            type=Path,
            metavar="PATH",
            help="touch it once a second, from when all workers serve on, while their heartbeats go round (for probes)",
        )
        parser.add_argument("--json-logs", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        loaded.is_all()
        _log_to_stderr(as_json=options["json_logs"])
        if settings().tenant_databases is not None:
            databases.bind(settings().database)
        roles.act_as("task")  # what Django's connections are for in the children; a worker has its own
        try:
            shapes = shapes_of(options["queues"], processes=options["processes"], threads=options["threads"])
            if tracing.is_on():
                tracing.load()
            watched.runners("")
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        try:
            vitals = Vitals.asked_for_by(os.environ, alive_file=options["alive_file"])
        except OSError as error:
            raise CommandError(
                f"--alive-file {options['alive_file']}: {error.strerror}. Name a file in a folder that can be written.",
                returncode=2,
            ) from error
        for name in VARIABLES:
            os.environ.pop(name, None)
        with outlet.never_waiting():
            with _stopping_on_sigterm():
                _wait_for_a_database_that_will_do()
            sys.exit(Supervisor(shapes, drain=options["drain"], vitals=vitals).run())


def _wait_for_a_database_that_will_do() -> None:
    """A database that does not answer is waited for; one on which every worker would fail, or must not run, is refused."""
    failures = 0
    while True:
        try:
            safety.refuse_unsafe_database(first=_refuse_what_lacks)
            return
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=1) from error
        except (OperationalError, psycopg.OperationalError) as error:
            failures += 1
            logger.warning("queue out of reach error=%s", (str(error).strip() or type(error).__name__).splitlines()[0])
            connections.close_all()
            time.sleep(min(settings().reconnect_cap_s, 0.1 * 2**failures) * random.uniform(0.5, 1))  # noqa: S311 - jitter


def _refuse_what_lacks() -> None:
    lacking = schema.missing()
    if lacking:
        raise CommandError(
            f"The database is not ready: {lacking[0]} and {len(lacking) - 1} more are missing. Run `setup_task_queue` first."
        )


def _log_to_stderr(*, as_json: bool) -> None:
    for name in _TOLD_ALREADY:
        if logging.getLogger(name).level == logging.NOTSET:
            logging.getLogger(name).setLevel(logging.WARNING)
    logs.to_stderr(as_json=as_json)


@contextlib.contextmanager
def _stopping_on_sigterm() -> Iterator[None]:
    """While there are no workers yet, there is nothing to wait for: SIGTERM ends the process well."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
