"""The composition root: the one place where the parts are handed to procrastinate and to each other."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import Error
from django.db.models.signals import post_migrate

logger = logging.getLogger(__name__)


class YoutilityTasksConfig(AppConfig):
    name = "youtility_tasks"
    verbose_name = "Background tasks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Django imports this module before any model exists, so what needs models is imported here.
        from . import acknowledged, checks, declaration, registry
        from .celery_bridge import face
        from .errors import ConfigurationError
        from .schedules import declaring
        from .tenancy import guard, roles
        from .workers import adopted, periodic, stock

        checks.register()
        acknowledged.watch()  # before whoever looks at what a connection leads to
        guard.install()
        try:
            roles.begin()
        except ConfigurationError:
            # `manage.py check` tells; but nobody who asked for roles is to connect as whoever migrates.
            if "roles" in getattr(settings, "YOUTILITY_TASKS", ()):
                raise
        for declared in registry.registered().values():
            stock.offer(declared)
        declaration.celery_face[:] = [face]
        registry.on_register.append(stock.offer)
        face.ready()
        registry.finders.append(face.find)
        registry.finders.append(adopted.find)
        declaring.sources.append(periodic.declared)
        post_migrate.connect(_make_first_days, sender=self)


def _make_first_days(using: str, plan: Any = (), **_: Any) -> None:
    """Once the schema is complete: make today's partition of the history, before there is a worker whose jobs end in it."""
    from . import conf, databases, metrics
    from .doctor import steps
    from .upkeep import history_days

    # Django sends this after each flush of a test as well, without a plan.
    if not plan or using not in conf.settings().aliases:
        return
    with databases.at(using):
        if steps.pending():
            return
        try:
            history_days.make_days(metrics.database_clock())
        except Error as error:  # somebody reads the history; the migrations are done, and a worker makes the days soon
            logger.warning("history days not made error=%s", error)
