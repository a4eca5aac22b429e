"""Mistakes found by `manage.py check` before a worker starts, each with an id and a hint."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core import checks
from django.db import router as router_of_django
from django.db.utils import load_backend

from . import queries, queues, registry, routers
from .conf import settings
from .errors import ConfigurationError, did_you_mean
from .secrets import marks


def register() -> None:
    """Hand our checks to Django."""
    checks.register(check_settings, "youtility_tasks")


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """What is wrong with the settings, the database they name and the queues that tasks name."""
    found: list[checks.CheckMessage] = []
    try:
        known = queues.configured()
        alias = settings().database
        if settings().direct_database is not None:
            queries.conninfo("check")
    except ConfigurationError as error:
        hint = "Correct the dict YOUTILITY_TASKS in your settings; youtility_tasks/conf.py says what each key means."
        return [checks.Error(str(error), hint=hint, id="youtility_tasks.E001")]
    found += _check_database(alias)
    found += _check_several()
    if not apps.is_installed("procrastinate.contrib.django"):
        found.append(
            checks.Error(
                "procrastinate.contrib.django is not installed.",
                hint="Add it to INSTALLED_APPS before youtility_tasks.",
                id="youtility_tasks.E003",
            )
        )
    for declared in registry.registered().values():
        if declared.queue_name not in known:
            found.append(
                checks.Error(
                    f"Task {declared.name!r} names queue {declared.queue_name!r}, which no worker serves.",
                    hint=f"Configured queues: {', '.join(sorted(known))}.",
                    id="youtility_tasks.E004",
                )
            )
    found += _check_secret_keys()
    found += _check_marks_of_others()
    for task_name in settings().retention_days_by_task or {}:
        if registry.find(task_name) is None:
            found.append(
                checks.Warning(
                    f"retention_days_by_task names task {task_name!r}, which nobody declares.",
                    hint=f"Correct YOUTILITY_TASKS.{did_you_mean(task_name, registry.registered())} History of a task "
                    "that is gone may rightly be named.",
                    id="youtility_tasks.W001",
                )
            )
    return found


def _check_several() -> list[checks.CheckMessage]:
    """Databases by tenant, and servers behind one alias."""
    found: list[checks.CheckMessage] = []
    spread = settings().tenant_databases
    router = "youtility_tasks.routers.TenantRouter"
    if spread is not None:
        for alias in spread:
            found += _check_database(alias) if alias != settings().database else []
        if not any(isinstance(each, routers.TenantRouter) for each in router_of_django.routers):
            found.append(
                checks.Error(
                    f"tenant_databases is set, and DATABASE_ROUTERS has no {router}: models would be looked for on the default alone.",
                    hint=f"Add {router!r}, or a subclass of it.",
                    id="youtility_tasks.E007",
                )
            )
    for alias in settings().aliases:
        given = django_settings.DATABASES.get(alias, {})
        options = given.get("OPTIONS", {})
        lacking = [key for key in ("target_session_attrs", "connect_timeout") if key not in options]
        if "," in str(given.get("HOST", "")) and lacking:
            found.append(
                checks.Warning(
                    f"DATABASES[{alias!r}] names several hosts, and its OPTIONS have no {' and no '.join(lacking)}.",
                    hint="Right is 'target_session_attrs': 'read-write' (or a standby is taken), 'connect_timeout': 2 (or a dead host "
                    "holds everybody up for two minutes), and keepalives: deploy/README.md says which.",
                    id="youtility_tasks.W004",
                )
            )
    return found


def _check_secret_keys() -> list[checks.CheckMessage]:
    is_production = not django_settings.DEBUG and not settings().allow_unsafe_database
    marked = [name for name, declared in registry.registered().items() if declared.marks]
    if not marked or settings().secret_keys is not None or not is_production:
        return []
    return [
        checks.Warning(
            f"{', '.join(marked[:5])}: marked arguments are sealed with a key made from SECRET_KEY.",
            hint="Give them keys of their own, which can be replaced one by one: YOUTILITY_TASKS['secret_keys'] = {'<id>': "
            "'<32 bytes in base64>'}. What was sealed before can still be opened.",
            id="youtility_tasks.W002",
        )
    ]


def _check_marks_of_others() -> list[checks.CheckMessage]:
    if not apps.is_installed("procrastinate.contrib.django"):
        return []
    from procrastinate.contrib.django import app  # it needs what was just asked for

    # Ours are in its registry, too, as functions that take anything.
    marked = [theirs.name for theirs in app.tasks.values() if marks.read(theirs.func, inspect.signature(theirs.func))]
    return [
        checks.Warning(
            f"Task {name!r} is declared for procrastinate and has arguments marked Secret or Pii, which it stores in clear.",
            hint="Declare it with youtility_tasks.task, and enqueue it with `enqueue`.",
            id="youtility_tasks.W003",
        )
        for name in sorted(set(marked))
    ]


def _check_database(alias: str) -> list[checks.CheckMessage]:
    database = django_settings.DATABASES.get(alias)
    if database is None:
        says = f"DATABASES has no alias {alias!r}; known: {', '.join(sorted(django_settings.DATABASES))}."
    elif (
        load_backend(database["ENGINE"]).DatabaseWrapper.vendor != "postgresql"
    ):  # PostGIS and others' engines are, too
        says = f"The queue's database {alias!r} is not PostgreSQL."
    else:
        return []
    hint = "Point YOUTILITY_TASKS['database'] at a PostgreSQL 15+ alias of DATABASES."
    return [checks.Error(says, hint=hint, id="youtility_tasks.E002")]
