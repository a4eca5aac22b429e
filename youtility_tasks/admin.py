"""Django's admin over jobs, attempts, workers, effects and tenants: to look at, for staff who see every tenant.

Jobs are never edited row by row; acts on them go through `manage_task_queue`, which refuses what a status does not allow.
Arguments are not shown: they hold people's names. With the setting `roles` the pages show the rows of the tenant that a
middleware has entered for the request, and none without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from .models import Job, TaskEffect, TaskExecutionHistory, TaskWorker, Tenant
from .tenancy import roles

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin  # Django itself gives it no subscript; only the backport on Django 5.2 adds one


class _ToLookAt(_ModelAdmin):
    """No adding, changing or deleting; a page counts nothing it does not show."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(_ToLookAt):
    list_display = ["id", "task_name", "queue_name", "tenant_id", "status", "attempts", "enqueued_at", "scheduled_at"]
    list_filter = ["status"]
    search_fields = ["=id", "=task_name"]
    ordering = ["-id"]
    exclude = ["args"]


@admin.register(TaskExecutionHistory)
class TaskExecutionHistoryAdmin(_ToLookAt):
    list_display = ["job_id", "task_name", "queue_name", "tenant_id", "attempt", "outcome", "run_ms", "finished_at"]
    list_filter = ["outcome"]
    search_fields = ["=job_id", "=task_name"]
    ordering = ["-finished_at"]
    exclude = ["args"]


@admin.register(TaskWorker)
class TaskWorkerAdmin(_ToLookAt):
    list_display = ["id", "host", "pid", "queue_name", "status", "slots", "heartbeat_at"]
    list_filter = ["status", "queue_name"]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # The web's user may not read them where the setting `roles` keeps tenants apart; `manage_task_queue workers` shows them.
        return roles.acting_as() is None and super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return roles.acting_as() is None and super().has_module_permission(request)


@admin.register(TaskEffect)
class TaskEffectAdmin(_ToLookAt):
    list_display = ["key", "tenant_id", "task_name", "status", "created_at", "done_at"]
    list_filter = ["status"]
    search_fields = ["key"]
    ordering = ["-id"]
    exclude = ["payload"]


@admin.register(Tenant)
class TenantAdmin(_ModelAdmin):
    list_display = ["id", "name", "is_active", "weight"]
    search_fields = ["=id", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["id"] if obj is not None else []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # its history names it; make it inactive instead
