"""`run_task_exporter`: `/metrics` for Prometheus, until told to stop."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from youtility_tasks import logs
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.exporter import answering
from youtility_tasks.exporter.serving import Server
from youtility_tasks.management import words
from youtility_tasks.management.ending import terminable

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Answer Prometheus at /metrics with the numbers of the whole installation; one is enough, several give the same."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port", type=words.whole(0, 65_535), default=9810, metavar="N", help="9810; 0: any free one"
        )
        parser.add_argument(
            "--host", default="127.0.0.1", metavar="ADDRESS", help="127.0.0.1; another wants the setting metrics_token"
        )
        parser.add_argument(
            "--without-token", action="store_true", help="whoever reaches the address may have the numbers"
        )
        parser.add_argument("--json-logs", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        logs.to_stderr(as_json=options["json_logs"])
        host = options["host"]
        try:
            is_open = settings().metrics_token is None and not answering.is_loopback(host)
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        if is_open and not options["without_token"]:
            raise CommandError(
                f"--host {host} would give the numbers to whoever reaches it: set YOUTILITY_TASKS['metrics_token'], or say --without-token.",
                returncode=2,
            )
        try:
            server = Server(host, options["port"])
        except OSError as error:
            raise CommandError(
                f"Nothing can listen at {host}:{options['port']}: {error}. Choose another --port."
            ) from error
        with server, terminable(), contextlib.suppress(KeyboardInterrupt):
            address = f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics"
            if options["json_logs"]:
                logger.info("exporter answers address=%s", address)
            else:
                self.stderr.write(address)
            server.serve_forever()
