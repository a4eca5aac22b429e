"""What people set at run time: limits, rates and pauses."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

SLOWEST, FASTEST = 1e-6, 1e6
"""Starts a second. What a control says goes into the claim of every tenant's jobs, and must not be able to make it fail."""
MOST_OF_A_TENANT = 200
"""A claim locks each control of its queue; the trigger `youtility_tasks_few_controls` counts those of a tenant."""
_INSTANTS = (datetime(1, 1, 3, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC))


class ControlQuerySet(models.QuerySet["QueueControl"]):
    """Named questions about controls; each narrows what it is asked of."""

    def for_tenant(self, tenant_id: int | None) -> ControlQuerySet:
        """The controls of this tenant alone; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def shut(self) -> ControlQuerySet:
        """Those that are paused now."""
        return self.filter(Q(is_paused=True), Q(paused_until=None) | Q(paused_until__gt=Now()))


class QueueControl(models.Model):
    """How much of some jobs may run: those of a queue, of a task, of a tenant, or of what two or three of them share.

    A row is never deleted while jobs are parked under it: it is emptied, and upkeep takes it away later.
    """

    id = models.AutoField(primary_key=True)
    queue_name = models.CharField(max_length=128, default="", blank=True, help_text="empty: any queue")
    task_name = models.CharField(max_length=128, default="", blank=True, help_text="empty: any task")
    tenant_id = models.IntegerField(null=True, blank=True, help_text="none: all tenants together")
    max_running = models.PositiveIntegerField(null=True, blank=True, help_text="jobs that run at once; none: no limit")
    rate_per_s = models.FloatField(null=True, blank=True, help_text="jobs that may start each second; none: no limit")
    burst = models.FloatField(default=1, help_text="jobs that may start at once after a quiet time")
    is_paused = models.BooleanField(default=False)
    paused_until = models.DateTimeField(null=True, blank=True, help_text="none: until somebody resumes")
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=200, default="", blank=True)
    reason = models.TextField(default="", blank=True, help_text="of the pause; of the limits the audit log has it")
    changed_at = models.DateTimeField(db_default=Now())
    changed_by = models.CharField(max_length=200, default="", blank=True)
    tokens = models.FloatField(db_default=1.0, help_text="starts that are left of the rate at `refilled_at`")
    refilled_at = models.DateTimeField(db_default=Now())

    objects = ControlQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="yt_control_once", fields=["queue_name", "task_name", "tenant_id"], nulls_distinct=False
            ),
            models.CheckConstraint(name="yt_control_running_positive", condition=Q(max_running__gt=0)),
            models.CheckConstraint(name="yt_control_rate_positive", condition=Q(rate_per_s__gt=0)),
            models.CheckConstraint(name="yt_control_burst_from_one", condition=Q(burst__gte=1)),
            models.CheckConstraint(
                name="yt_control_numbers_in_bounds",
                condition=Q(
                    Q(rate_per_s=None) | Q(rate_per_s__range=(SLOWEST, FASTEST)),
                    burst__lte=FASTEST,
                    tokens__range=(-FASTEST, FASTEST),
                ),
            ),
            models.CheckConstraint(
                name="yt_control_instants_in_bounds",
                condition=Q(
                    Q(paused_until=None) | Q(paused_until__range=_INSTANTS),
                    Q(paused_at=None) | Q(paused_at__range=_INSTANTS),
                    changed_at__range=_INSTANTS,
                    refilled_at__range=_INSTANTS,
                ),
            ),
        ]

    def __str__(self) -> str:
        whose = [
            f"task {self.task_name}" if self.task_name else "",
            f"tenant {self.tenant_id}" if self.tenant_id is not None else "",
        ]
        what = " of ".join(filter(None, whose))
        where = self.queue_name and f"queue {self.queue_name}"
        return " in ".join(filter(None, [what, where])) or "everything"
