"""What the house keeps for itself, in Django's admin: workers and what they are told, counters, duties, keys that jobs hold."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from youtility_tasks import orders
from youtility_tasks.models import (
    ApiAllowance,
    BridgeCall,
    BridgeMove,
    BridgeRoute,
    BridgeRun,
    BridgeSchedule,
    QueueCounter,
    TaskWorker,
    UniqueKey,
    UpkeepDuty,
    WorkerHeartbeat,
)
from youtility_tasks.status import WorkerStatus

from .doors import OfTheHouse, ToLookAt, WithReason, act_on_each, one_of, reason_of


@admin.register(TaskWorker)
class TaskWorkerAdmin(OfTheHouse):
    """Workers to look at; they are told to be quiet, to leave or to go on by `orders`."""

    list_display = ["id", "host", "pid", "queue_name", "status", "told", "slots", "heartbeat_at"]
    list_filter = [one_of("status", WorkerStatus), "queue_name"]
    ordering = ["-id"]
    exclude = ["token"]
    actions = ["quiet", "resume", "drain"]
    action_form = WithReason

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Django's permission; whether somebody is an operator is asked by the acts."""
        return bool(request.user.has_perm("youtility_tasks.change_taskworker"))

    @admin.action(description="Quiet: claim nothing more (with a reason)", permissions=["act"])
    def quiet(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        because = reason_of(self, request)
        if because is not None:
            act_on_each(self, request, queryset, lambda row: f"{orders.quiet(row.pk, because)} claims nothing more.")

    @admin.action(description="Resume: claim again (with a reason)", permissions=["act"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        because = reason_of(self, request)
        if because is not None:
            act_on_each(self, request, queryset, lambda row: f"{orders.resume(row.pk, because)} claims again.")

    @admin.action(description="Drain: end what runs, and leave (with a reason)", permissions=["act"])
    def drain(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        because = reason_of(self, request)
        if because is not None:
            act_on_each(self, request, queryset, lambda row: f"{orders.drain(row.pk, because)} leaves.")


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(OfTheHouse):
    list_display = ["worker_id", "at", "memory_bytes", "children_bytes", "child_count", "running_mean", "cpu"]
    ordering = ["-id"]


@admin.register(QueueCounter)
class QueueCounterAdmin(OfTheHouse):
    list_display = ["name", "label", "value"]
    ordering = ["name", "label"]


@admin.register(UpkeepDuty)
class UpkeepDutyAdmin(OfTheHouse):
    list_display = ["name", "begun_at", "ended_at", "done_count", "error"]


@admin.register(ApiAllowance)
class ApiAllowanceAdmin(OfTheHouse):
    list_display = ["who", "full_at"]
    ordering = ["who"]


@admin.register(UniqueKey)
class UniqueKeyAdmin(ToLookAt):
    list_display = ["task_name", "tenant_id", "key", "job_id", "held_until"]
    ordering = ["-id"]


@admin.register(BridgeCall)
class BridgeCallAdmin(ToLookAt):
    list_display = ["celery_id", "task_name", "tenant_id", "side", "job_id", "workflow_id", "step", "at"]
    ordering = ["-id"]


@admin.register(BridgeRoute)
class BridgeRouteAdmin(OfTheHouse):
    list_display = ["task_name", "side", "percent", "sticks_to", "version", "changed_by", "changed_at", "reason"]
    ordering = ["task_name"]


@admin.register(BridgeRun)
class BridgeRunAdmin(ToLookAt):
    list_display = ["task_name", "tenant_id", "celery_id", "attempt", "outcome", "wait_ms", "run_ms", "finished_at"]
    ordering = ["-id"]


@admin.register(BridgeMove)
class BridgeMoveAdmin(ToLookAt):
    list_display = ["celery_id", "task_name", "tenant_id", "queue_name", "at"]
    ordering = ["-id"]


@admin.register(BridgeSchedule)
class BridgeScheduleAdmin(ToLookAt):
    list_display = ["name", "tenant_id", "source", "status", "schedule_id", "changed_at"]
    ordering = ["-id"]
