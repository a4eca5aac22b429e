"""`up`: database, workers and pages together, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from youtility_tasks.standalone import people

_STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number from 1 to 65535")
    return int(text)


class Command(BaseCommand):
    help = "Run the database, one worker per queue and the pages until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=_port, default=8000, help="port of the pages on 127.0.0.1 (default 8000)")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("setup_task_queue", stdout=self.stderr)
        address = f"127.0.0.1:{options['port']}"
        self.stdout.write(f"database  {os.environ['DATABASE_URL']}")
        self.stdout.write(f"pages     http://{address}/tasks/  ({_how_to_sign_in()})")
        self.stdout.write("Ctrl-C stops everything.")
        signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOPPING, signal.SIGCHLD})  # collected by sigwait, lost by nobody
        processes = {
            "workers": _start("run_postgresql_worker"),
            "pages": _start(
                "runserver", "--noreload", "--insecure", address
            ),  # insecure: serves the static files itself
        }
        ended = _wait_for_a_signal_or_an_end(processes)
        _stop(processes)
        if ended:
            raise CommandError(f"The {ended} ended by themselves (see above), so everything was stopped.")


def _how_to_sign_in() -> str:
    made = people.first_person()
    return f"sign in as {made[0]}, password {made[1]}" if made else "make another user: youtility-tasks createsuperuser"


def _start(*command: str) -> subprocess.Popen[bytes]:
    """A command of this project in a session of its own, so that Ctrl-C reaches us alone and we stop it in order."""
    words = [sys.executable, "-m", "youtility_tasks.standalone", *command]
    return subprocess.Popen(words, start_new_session=True, preexec_fn=_hear_signals)  # noqa: S603


def _hear_signals() -> None:
    """A child inherits what its parent has blocked."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _stop(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Let all finish what they do; a second Ctrl-C tells them again, which to workers means at once."""
    asked = True
    while running := [process for process in processes.values() if process.poll() is None]:
        if asked:
            for process in running:
                process.terminate()
        asked = signal.sigwait({*_STOPPING, signal.SIGCHLD}) in _STOPPING


def _wait_for_a_signal_or_an_end(processes: dict[str, subprocess.Popen[bytes]]) -> str | None:
    """Return the name of the process that ended, or None if we are asked to stop."""
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                return name
        if signal.sigwait({*_STOPPING, signal.SIGCHLD}) in _STOPPING:
            return None
