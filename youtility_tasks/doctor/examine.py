"""The whole examination, in the order in which one problem explains the next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import psycopg
from django.db import Error, OperationalError, transaction

from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError

from . import ground, safety, work
from .finding import Finding

Look = Callable[[], Finding]

_WITHOUT_DATABASE: dict[str, Look] = {
    "settings": ground.configuration,
    "system checks": ground.system_checks,
    "schedules": work.schedules,
    "procrastinate": ground.procrastinate,
}
_WITH_DATABASE: dict[str, Look] = {
    "database": ground.database,
    "migrations": ground.migrations,
    "schema": ground.tables_and_functions,
    "history days": ground.history_days,
    "safety": safety.database_is_safe,
    "tenants": safety.tenants_are_apart,
    "clocks": ground.clocks,
    "workers": work.workers,
    "silent workers": work.silent_workers,
    "oldest waiting job": work.oldest_waiting_job,
    "dead letters": work.dead_letters,
    "operations": work.operations,
    "numbers": work.numbers,
    "unknown tasks": work.unknown_tasks,
    "secret keys": work.secret_keys,
    "effects": work.open_effects,
    "pauses": work.forgotten_pauses,
    "limits": work.controls_of_nothing,
    "parked jobs": work.orphans,
    "late schedules": work.late_schedules,
    "old snapshots": work.old_snapshots,
}

_BY_ITSELF: dict[str, Look] = {"declared schedules": work.declared_schedules}
"""Connects as somebody else, which nobody may in a transaction."""

_NOTHING_WITHOUT = {"database", "schema"}


def examine(*, among_others: bool = False) -> list[Finding]:
    """Look at everything; changes nothing. Never raises for what it finds: a look that fails is a problem found.

    `among_others`: in a process with other threads, for which the looks are left out that let the process be another user.
    """
    findings = [look() for look in _WITHOUT_DATABASE.values()]
    if not findings[0].ok:
        return findings  # without settings nobody knows which database
    for name, look in _WITH_DATABASE.items():
        found = _look(name, look)
        findings.append(found)
        if name in _NOTHING_WITHOUT and not found.ok:
            return findings
    if among_others:
        return findings
    return [*findings, *(_look(name, look, by_itself=True) for name, look in _BY_ITSELF.items())]


def _look(name: str, look: Look, *, by_itself: bool = False) -> Finding:
    try:
        with contextlib.nullcontext() if by_itself else transaction.atomic(using=settings().database):
            return look()
    except (OperationalError, psycopg.OperationalError) as error:
        return Finding(
            name,
            False,
            f"not reachable: {_first_line(error)}",
            "Start the database, or correct DATABASES (DATABASE_URL). Nothing else could be looked at.",
        )
    except ConfigurationError as error:
        return Finding(name, False, str(error), "Correct YOUTILITY_TASKS in the Django settings.")
    except (Error, psycopg.Error) as error:
        return Finding(name, False, f"could not be looked at: {_first_line(error)}", "Run `setup_task_queue --check`.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
