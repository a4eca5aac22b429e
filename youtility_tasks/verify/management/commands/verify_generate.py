"""`verify_generate`: the process of a run that enqueues; started by the run, with the run's settings."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from youtility_tasks.verify.generator import Generator
from youtility_tasks.verify.ledger import Ledger
from youtility_tasks.verify.plan import jobs


class Command(BaseCommand):
    help = "Enqueue what a seed plans. SIGTERM ends it after the call that is under way."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--jobs", type=int, required=True)
        parser.add_argument("--rate", type=float, required=True, help="jobs a second")

    def handle(self, *args: Any, **options: Any) -> None:
        generator = Generator(Ledger.from_environment())
        signal.signal(signal.SIGTERM, lambda *_: generator.stopped.set())
        generator.run(jobs(options["seed"], options["jobs"]), options["rate"])
