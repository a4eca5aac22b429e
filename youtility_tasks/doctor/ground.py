"""What everything stands on: the database, its schema, the settings, the clocks."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core import checks
from django.db import connections

from youtility_tasks import metrics, queries, queues
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.models import UpkeepDuty

from . import schema, steps
from .finding import Finding

OLDEST_POSTGRESQL = 15
LARGEST_CLOCK_DIFFERENCE_S = 2.0


def database() -> Finding:
    """Reachable, and new enough."""
    connection = connections[settings().database]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::integer, current_setting('server_version')")
        number, text = cursor.fetchone()
    if number // 10_000 < OLDEST_POSTGRESQL:
        return Finding(
            "database",
            False,
            f"PostgreSQL {text}",
            f"Move to PostgreSQL {OLDEST_POSTGRESQL} or newer: the queue needs it.",
        )
    name = connection.settings_dict["NAME"]
    return Finding("database", True, f"PostgreSQL {text}, database {name!r} (alias {settings().database!r})")


def migrations() -> Finding:
    """All of them applied."""
    left = steps.pending()
    if left:
        return Finding(
            "migrations",
            False,
            f"{len(left)} not applied: {_some(left)}",
            "Run `setup_task_queue`; it may be run at any time.",
        )
    return Finding("migrations", True, "all applied")


def tables_and_functions() -> Finding:
    """Everything there that the migrations make."""
    lacking = schema.missing()
    if lacking:
        advice = (
            "Run `setup_task_queue`: it makes them. Until then nothing else can be looked at."
            if steps.pending()
            else "The database was changed by hand, or a migration was faked: restore these, then look again."
        )
        return Finding("schema", False, f"{len(lacking)} missing: {_some(lacking)}", advice)
    return Finding("schema", True, "every column, index and function is there")


def history_days() -> Finding:
    """The days of the history are made ahead, and what upkeep did last went well."""
    failed = UpkeepDuty.objects.exclude(error="").order_by("name").first()
    if failed is not None:
        return Finding(
            "history days",
            False,
            f"upkeep could not {failed.name}: {failed.error}",
            "A worker tries again within the hour; `manage_task_queue cleanup` or `setup_task_queue` do it now.",
        )
    wanted = {"now": metrics.database_clock(), "ahead": 1, "keep_days": 0}
    lacking = [str(day) for (day,) in queries.fetch("history_gaps", wanted)]
    if lacking:
        return Finding(
            "history days",
            False,
            f"not made: {', '.join(lacking)}",
            "Run `setup_task_queue` now; then start a worker: it makes them ahead. Nothing is lost meanwhile.",
        )
    return Finding("history days", True, "today's and tomorrow's are made")


def procrastinate() -> Finding:
    """In a version that our tests have run on."""
    version = schema.procrastinate_version()
    if not schema.procrastinate_is_tested(version):
        return Finding(
            "procrastinate", False, version, f"Install a version that we have tested: {schema.tested_range()}."
        )
    return Finding("procrastinate", True, version)


def configuration() -> Finding:
    """`YOUTILITY_TASKS` can be read."""
    try:
        names = sorted(queues.configured())
    except ConfigurationError as error:
        return Finding("settings", False, str(error), "Correct YOUTILITY_TASKS in the Django settings.")
    return Finding("settings", True, f"queues: {', '.join(names)}")


def system_checks() -> Finding:
    """Nothing that `manage.py check` calls an error."""
    serious = [found for found in checks.run_checks() if found.is_serious() and not found.is_silenced()]
    if serious:
        said = [f"{found.id or type(found).__name__}: {found.msg}" for found in serious]
        return Finding("system checks", False, _some(said), "Run `manage.py check`: it gives a hint for each.")
    return Finding("system checks", True, "no errors")


def clocks() -> Finding:
    """This host's clock beside the database's, by which the queue is run."""
    before = datetime.now(UTC)
    there = metrics.database_clock()
    here = before + (datetime.now(UTC) - before) / 2
    difference_s = (here - there).total_seconds()
    found = f"this host is {abs(difference_s):.2f} s {'ahead of' if difference_s > 0 else 'behind'} the database"
    if abs(difference_s) > LARGEST_CLOCK_DIFFERENCE_S:
        return Finding(
            "clocks", False, found, "Let both hosts follow a time server (NTP): times that you enter are meant here."
        )
    return Finding("clocks", True, found)


def _some(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
