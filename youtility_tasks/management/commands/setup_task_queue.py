"""`setup_task_queue`: make the database ready, and prove that it is. Running it twice changes nothing."""

from __future__ import annotations

import sys
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, OperationalError

from youtility_tasks import metrics
from youtility_tasks.doctor import safety, schema, steps
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.management import printing
from youtility_tasks.upkeep import history_days


class Command(BaseCommand):
    help = (
        "Run all migrations that are pending, then check that every column, index and function is there, that "
        "procrastinate is a version we have tested, and that a worker may run on this database. Exit status: 0 ready, 1 not."
    )
    requires_system_checks = ()  # the database comes before what stands on it

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and list what is missing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        applied: list[str] = []
        days = 0
        try:
            if not options["check"]:
                applied = steps.run()
                days = history_days.make_days(metrics.database_clock())
            pending = steps.pending()
            # With migrations to be run, what they will make is no news.
            lacking = [] if pending else schema.missing()
            safe = safety.database_is_safe()
        except (ConfigurationError, Error, psycopg.Error) as error:
            self._end(options, {"ok": False, "error": {"type": type(error).__name__, "message": _said(error)}})
            return
        version = schema.procrastinate_version()
        tested = schema.procrastinate_is_tested(version)
        self._end(
            options,
            {
                "ok": not pending and not lacking and tested and safe.ok,
                "applied": applied,
                "history_days_made": days,
                "pending": pending,
                "missing": lacking,
                "safety": {"ok": safe.ok, "found": safe.found},
                "procrastinate": {"version": version, "tested": schema.tested_range(), "ok": tested},
            },
        )

    def _end(self, options: dict[str, Any], document: dict[str, Any]) -> None:
        if options["as_json"]:
            printing.as_json(self.stdout, document)
        else:
            printing.as_page(self.stdout, _lines(document))
        if not document["ok"]:
            sys.exit(1)


def _said(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    cause = error.__cause__ if isinstance(error, Error) else error
    # What the server itself has refused has a code; without one there was no server to refuse anything.
    if isinstance(error, OperationalError | psycopg.OperationalError) and getattr(cause, "sqlstate", None) is None:
        return f"{said.splitlines()[0]}. Start the database, or correct DATABASES."
    return said


def _lines(document: dict[str, Any]) -> list[str]:
    if "error" in document:
        return [f"Not ready: {document['error']['message']}"]
    procrastinate = document["procrastinate"]
    lines = [f"applied  {name}" for name in document["applied"]]
    if document["history_days_made"]:
        lines.append(f"made     {document['history_days_made']} days of the history")
    lines += [f"pending  {name}" for name in document["pending"]]
    lines += [f"missing  {name}" for name in document["missing"]]
    if not procrastinate["ok"]:
        lines.append(f"untested procrastinate {procrastinate['version']}; right is {procrastinate['tested']}")
    if document["pending"]:
        return [*lines, "Not ready: run `setup_task_queue`."]
    if document["missing"]:
        return [
            *lines,
            "Not ready: the database was changed by hand, or a migration was faked. Restore what is missing.",
        ]
    if not document["safety"]["ok"]:
        return [*lines, f"Not ready: {document['safety']['found']}"]
    if not document["ok"]:
        return [*lines, "Not ready: install a tested procrastinate."]
    done = f"{len(document['applied'])} migrations applied" if document["applied"] else "nothing to do"
    return [
        *lines,
        f"Ready: {done}; every column, index and function is there; procrastinate {procrastinate['version']}.",
    ]
