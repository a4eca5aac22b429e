"""`up`: database, workers and pages together, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Run the database, one worker per queue and the pages until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the pages on 127.0.0.1 (default 8000)")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("setup_task_queue", stdout=self.stderr)
        run = [sys.executable, "-m", "youtility_tasks.standalone"]
        address = f"127.0.0.1:{options['port']}"
        env = {**os.environ, "DJANGO_DEBUG": "1"}  # runserver serves its static files only so
        processes = [
            subprocess.Popen([*run, "run_postgresql_worker"]),  # noqa: S603
            subprocess.Popen([*run, "runserver", "--noreload", address], env=env),  # noqa: S603
        ]
        self.stdout.write(f"database  {os.environ['DATABASE_URL']}")
        self.stdout.write(f"pages     http://{address}/admin/  (make a user: youtility-tasks createsuperuser)")
        self.stdout.write("Ctrl-C stops everything.")
        # The processes hear Ctrl-C themselves; SIGTERM is passed on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: _stop(processes))
        for process in processes:
            process.wait()


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
