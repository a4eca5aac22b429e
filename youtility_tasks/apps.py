"""The composition root: the one place where the parts are handed to procrastinate and to each other."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class YoutilityTasksConfig(AppConfig):
    name = "youtility_tasks"
    verbose_name = "Background tasks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Django imports this module before any model exists, so what needs models is imported here.
        from . import checks, registry
        from .errors import ConfigurationError
        from .schedules import defaults
        from .tenancy import guard, roles
        from .workers import adopted, periodic, stock

        checks.register()
        guard.install()
        try:
            roles.begin()
        except ConfigurationError:
            # `manage.py check` tells; but nobody who asked for roles is to connect as whoever migrates.
            if "roles" in getattr(settings, "YOUTILITY_TASKS", ()):
                raise
        for declared in registry.registered().values():
            stock.offer(declared)
        registry.on_register.append(stock.offer)
        registry.finders.append(adopted.find)
        defaults.sources.append(periodic.declared)
