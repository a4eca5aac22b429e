"""The Django app of the 32 tasks."""

from __future__ import annotations

from django.apps import AppConfig


class TaskCatalogConfig(AppConfig):
    """Registers the checks of the settings; the tasks themselves are found by discovery (`tasks.py`)."""

    name = "task_catalog"
    label = "task_catalog"
    verbose_name = "Task catalogue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers itself; models exist only now
