"""Operations on many jobs, and what is counted for pages and the exporter, in Django's admin: to look at."""

from __future__ import annotations

from django.contrib import admin

from youtility_tasks.models import (
    MetricsMark,
    MetricsSum,
    MetricsTotal,
    OperationBatch,
    QueueSnapshot,
    SavedView,
    SnapshotMark,
    TaskOperation,
    TaskPerformanceMetrics,
)

from .doors import OfTheHouse, ToLookAt


@admin.register(TaskOperation)
class TaskOperationAdmin(ToLookAt):
    list_display = [
        "id",
        "act",
        "tenant_id",
        "total_count",
        "done_count",
        "refused_count",
        "started_by",
        "started_at",
        "ended_at",
    ]
    ordering = ["-id"]


@admin.register(TaskPerformanceMetrics)
class TaskPerformanceMetricsAdmin(ToLookAt):
    list_display = [
        "begins_at",
        "resolution_s",
        "tenant_id",
        "queue_name",
        "task_name",
        "outcome",
        "attempt_count",
        "run_max_ms",
    ]
    ordering = ["-id"]


@admin.register(MetricsSum)
class MetricsSumAdmin(ToLookAt):
    list_display = [
        "begins_at",
        "resolution_s",
        "tenant_id",
        "level",
        "queue_name",
        "task_name",
        "outcome",
        "attempt_count",
    ]
    ordering = ["-id"]


@admin.register(QueueSnapshot)
class QueueSnapshotAdmin(ToLookAt):
    list_display = ["tenant_id", "queue_name", "todo", "doing", "scheduled", "failed", "oldest_at"]
    ordering = ["tenant_id", "queue_name"]


@admin.register(OperationBatch)
class OperationBatchAdmin(OfTheHouse):
    list_display = ["id", "operation_id", "tenant_id", "made_at", "undone_at"]
    exclude = ["job_ids", "was"]
    ordering = ["-id"]


@admin.register(MetricsTotal)
class MetricsTotalAdmin(OfTheHouse):
    list_display = ["tenant", "queue_name", "task_name", "outcome", "attempt_count"]
    ordering = ["tenant", "queue_name", "task_name", "outcome"]


@admin.register(MetricsMark)
class MetricsMarkAdmin(OfTheHouse):
    list_display = ["id", "folded_at", "past_at"]


@admin.register(SnapshotMark)
class SnapshotMarkAdmin(OfTheHouse):
    list_display = ["id", "taken_at", "took_ms"]


@admin.register(SavedView)
class SavedViewAdmin(ToLookAt):
    list_display = ["name", "tenant_id", "user_key", "created_at"]
    ordering = ["-id"]
