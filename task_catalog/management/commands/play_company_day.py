"""`play_company_day`: a facility company's day with real workers and real mail, every total reconciled."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import date
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from rich.console import Console

from task_catalog.company_day import page
from task_catalog.company_day.chaos import Chaos
from task_catalog.company_day.definitions import EARLIEST, LATEST, MAX_SCALE, midnight
from task_catalog.company_day.errors import CompanyDayError, DatabaseAbsent
from task_catalog.company_day.picture import draw
from task_catalog.company_day.play import play_day
from task_catalog.company_day.reconcile import Check
from task_catalog.company_day.screen import DayScreen, Moment, console_for_results, table_of
from task_catalog.company_day.stage import Scene, new_page_file
from task_catalog.company_day.weather import FAIR
from youtility_tasks.conf import settings
from youtility_tasks.management import words
from youtility_tasks.standalone import people
from youtility_tasks.tenancy import apply, roles

DEFAULT_DATE = date(2025, 3, 3)
_CHAOS = {"full": 1, "short": 10}
"""Of how many jobs one runs twice."""


class Command(BaseCommand):
    help = (
        "Make a facility company, play one of its days in accelerated time with real workers and a real mail server, "
        "and reconcile every total. Exit status: 0 all agree, 1 a total differs or the day may not be played here, "
        "2 bad usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", type=_scale, default=1, metavar="N", help="multiplies the sites (default 1)")
        parser.add_argument(
            "--date", type=_date, default=DEFAULT_DATE, metavar="YYYY-MM-DD", help=f"the day (default {DEFAULT_DATE})"
        )
        parser.add_argument(
            "--seed", type=words.seed, default=0, metavar="N", help="other names, the same totals (default 0)"
        )
        parser.add_argument(
            "--chaos",
            nargs="?",
            choices=_CHAOS,
            const="full",
            help="kill processes at any moment, run every job twice (short: every tenth), and let the mail server be away for "
            "20 minutes: the same totals",
        )
        parser.add_argument(
            "--console", type=int, nargs="?", const=0, metavar="PORT",
            help="serve the console while the day is played (default: any free port of the loopback)",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        parser.add_argument(
            "--picture", type=words.new_file, metavar="FILE", help="also draw the totals as an SVG picture"
        )
        parser.add_argument(
            "--page",
            type=words.new_file,
            metavar="FILE",
            help="where the page with the day's charts goes (default: a folder that stays until the next day is played)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        day, scale = options["date"], options["scale"]
        began = time.monotonic()
        try:
            checks, moments = self._play(day, scale, options["seed"], options["chaos"], options["console"])
        except CompanyDayError as error:
            self.stderr.write(f"{type(error).__name__}: {error}")
            if options["json"]:
                self._print_json([], error={"type": type(error).__name__, "message": str(error)})
            sys.exit(1)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted; the day can be played again.")
            sys.exit(130)
        took = f"{time.monotonic() - began:.0f} s"
        if options["json"]:
            self._print_json(checks)
        what = f"Company day {day}, scale {scale}{', with chaos' if options['chaos'] else ''}"
        title = f"{what}, played in {took}"
        self._show(checks, title, what, options)
        page_file = options["page"] or new_page_file()
        page_file.write_text(page.write(checks, title, moments), encoding="utf-8")
        self.stderr.write(f"The day on one page: {page_file}")
        if options["console"] is not None:
            self.stderr.write("The console again, on what the day has left: youtility-tasks up (make up)")
        if not all(check.ok for check in checks):
            sys.exit(1)

    def _play(
        self, day: date, scale: int, seed: int, chaos: str | None, port: int | None
    ) -> tuple[list[Check], list[Moment]]:
        progress = Console(stderr=True)
        with roles.acting(roles.MIGRATOR):
            self._migrate()
        with DayScreen(progress, midnight(day)) as screen:

            def on_stage(scene: Scene) -> None:
                if port is not None:
                    progress.print(f"console  {scene.pages.start(port)}  ({self._how_to_sign_in()})", highlight=False)
                screen.begin(scene.mail_file)

            weather = Chaos(seed, every=_CHAOS[chaos]) if chaos else FAIR
            checks = play_day(day, scale=scale, seed=seed, on_stage=on_stage, tell=screen.tell, weather=weather)
        return checks, screen.moments

    def _how_to_sign_in(self) -> str:
        with roles.acting(roles.MIGRATOR):
            made = people.first_person()
        return f"sign in as {made[0]}, password {made[1]}" if made else "sign in as before"

    def _migrate(self) -> None:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise DatabaseAbsent(error) from error
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stderr.write("Creating the tables.")
            call_command("migrate", interactive=False, verbosity=0, stdout=self.stderr)
        if settings().roles is not None:
            apply.make_true()

    def _show(self, checks: list[Check], title: str, what: str, options: dict[str, Any]) -> None:
        if not options["json"]:
            console_for_results().print(table_of(checks, title))
        if options["picture"] is not None:
            options["picture"].write_text(draw(checks, what), encoding="utf-8")

    def _print_json(self, checks: list[Check], **more: Any) -> None:
        document = {"ok": bool(checks) and all(check.ok for check in checks), "checks": [c.as_json() for c in checks]}
        self.stdout.write(json.dumps({**document, **more}, indent=2))


def _scale(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_SCALE:
        raise argparse.ArgumentTypeError(f"{text!r} is no scale; right is a whole number from 1 to {MAX_SCALE}.")
    return int(text)


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; right is year-month-day, as 2025-03-03.") from error
    if not EARLIEST <= day <= LATEST:
        raise argparse.ArgumentTypeError(f"{text} cannot be played; right is a day from {EARLIEST} to {LATEST}.")
    return day
