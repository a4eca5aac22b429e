"""The move from Celery: which side a task's calls go to, how Celery's side did, and what is on its way between the sides."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

RUN_TENANTS_OWN = ("result", "error_message")
"""What of a run only the tenant may see."""


class BridgeRoute(models.Model):
    """Where the calls of one task go. Of all tenants: a task without a row goes where the setting `celery_bridge_default` says."""

    class Side(models.TextChoices):
        """The words of the commands."""

        CELERY = "celery", "Celery runs it"
        SHADOW = "shadow", "Celery runs it, and we run it beside without any effect"
        CANARY = "canary", "we run a share of the calls, Celery the others"
        POSTGRES = "postgres", "we run it"

    id = models.AutoField(primary_key=True)
    task_name = models.CharField(max_length=128, unique=True)
    side = models.CharField(max_length=16, choices=Side)
    percent = models.FloatField(default=0, help_text="of a canary: the share of tenants (or keys) that we run")
    sticks_to = models.CharField(
        max_length=128, default="", blank=True, help_text="empty: the tenant; *: all arguments; else an argument's name"
    )
    version = models.IntegerField(default=1, help_text="raised by each change, so that none is lost to another")
    changed_at = models.DateTimeField(db_default=Now())
    changed_by = models.CharField(max_length=200, default="", blank=True)
    reason = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["task_name"]
        constraints = [
            models.CheckConstraint(
                name="yt_bridge_route_side_word", condition=Q(side__in=["celery", "shadow", "canary", "postgres"])
            ),
            models.CheckConstraint(name="yt_bridge_route_percent", condition=Q(percent__gte=0) & Q(percent__lte=100)),
        ]

    def __str__(self) -> str:
        return f"{self.task_name}: {self.side}" + (f" {self.percent:g} %" if self.side == "canary" else "")


class BridgeRunQuerySet(models.QuerySet["BridgeRun"]):
    """Named questions about runs; each narrows what it is asked of."""

    def since(self, instant: datetime | None) -> BridgeRunQuerySet:
        """Those that ended since then; None means any."""
        return self if instant is None else self.filter(finished_at__gte=instant)


class BridgeRun(models.Model):
    """One run by a Celery worker, written when it has ended, or of a shadow of ours; how our other attempts went is in their history."""

    class Side(models.TextChoices):
        """Who ran it."""

        CELERY = "celery", "Celery"
        SHADOW = "shadow", "we, without any effect"

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(help_text="0: of no tenant")
    task_name = models.CharField(max_length=128)
    side = models.CharField(max_length=16, choices=Side)
    celery_id = models.CharField(max_length=255)
    attempt = models.IntegerField(help_text="from 1; a message that was delivered twice has one number twice")
    outcome = models.CharField(max_length=16, help_text="succeeded, failed, retry, cancelled")
    wait_ms = models.FloatField(null=True, help_text="from the call, or from when it was due, to its start")
    run_ms = models.FloatField(null=True)
    result = models.JSONField(null=True, help_text="up to 4 KiB; a larger one is in its digest alone")
    digest = models.CharField(
        max_length=64, default="", blank=True, help_text="SHA-256 of the result's JSON, without what is not compared"
    )
    kept_back = models.TextField(
        default="", blank=True, help_text="of a shadow: what it wanted to do outside; its result is then not compared"
    )
    error_class = models.TextField(default="", blank=True)
    error_message = models.TextField(default="", blank=True)
    finished_at = models.DateTimeField(db_default=Now())

    objects = BridgeRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="yt_bridge_run_outcome_word",
                condition=Q(outcome__in=["succeeded", "failed", "retry", "cancelled"]),
            ),
            models.CheckConstraint(name="yt_bridge_run_side_word", condition=Q(side__in=["celery", "shadow"])),
        ]
        indexes = [
            models.Index(fields=["task_name", "-finished_at"], name="yt_bridge_run_task"),
            models.Index(fields=["tenant_id", "celery_id"], name="yt_bridge_run_call"),
            models.Index(fields=["finished_at"], name="yt_bridge_run_at"),
        ]

    def __str__(self) -> str:
        return f"{self.task_name}[{self.celery_id}] {self.outcome}"


class BridgeMove(models.Model):
    """A waiting job that was taken off our queue and is to become a message of Celery's: there until Redis has it."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(help_text="0: of no tenant")
    task_name = models.CharField(max_length=128)
    celery_id = models.CharField(max_length=255)
    queue_name = models.CharField(max_length=128, help_text="the list of Redis")
    message = models.TextField(help_text="as kombu lays it down")
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.task_name}[{self.celery_id}] to {self.queue_name}"
