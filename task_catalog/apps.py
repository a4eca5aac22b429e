"""The Django app of the 32 tasks."""

from __future__ import annotations

from django.apps import AppConfig


class TaskCatalogConfig(AppConfig):
    """Registers the checks of the settings; the tasks themselves are found by discovery (`tasks.py`)."""

    name = "task_catalog"
    label = "task_catalog"
    verbose_name = "Task catalogue"
    default_auto_field = "django.db.models.BigAutoField"
    youtility_tenant_tables = {"task_catalog_planfingerprint": "client_id", "task_catalog_bloblocation": "client_id"}
    youtility_shared_tables = ("task_catalog_heartbeat", "task_catalog_playedclock")

    def ready(self) -> None:
        from youtility_tasks import on_final_failure

        from . import checks, noc, notices  # noqa: F401 - the checks register themselves; models exist only now
        from .reporting import telling

        on_final_failure.append(notices.promise_for_failure)
        on_final_failure.append(telling.tell_of_failure)
        noc.listen()
