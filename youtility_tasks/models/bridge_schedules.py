"""What became of the schedules of Celery's Beat."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

TENANTS_OWN = ("said", "was")
"""What of it only the tenant may see: arguments stand in it."""


class Source(models.TextChoices):
    """Where Beat has a schedule from."""

    TABLE = "table", "the tables of django-celery-beat"
    SETTINGS = "settings", "beat_schedule"


class Side(models.TextChoices):
    """Who fires it."""

    HELD = "held", "nobody: the hand-over has begun and not ended"
    OURS = "ours", "our workers"
    BEAT = "beat", "Beat again"


class BridgeSchedule(models.Model):
    """One schedule that was Beat's and became ours: written in the transaction that ends it there and begins it here."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(default=0, help_text="of our schedule; 0: a sweep's")
    source = models.CharField(max_length=16, choices=Source)
    source_key = models.CharField(max_length=200, help_text="the row's id, or the name in the settings")
    name = models.CharField(max_length=200, help_text="as Beat calls it")
    status = models.CharField(max_length=16, choices=Side)
    schedule_id = models.BigIntegerField(null=True)
    said = models.JSONField(default=dict, help_text="our schedule as the last import made it")
    was = models.JSONField(default=dict, help_text="of Beat's row, for the way back")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["source", "name"]
        constraints = [
            models.UniqueConstraint(name="yt_bridge_schedule_once", fields=["source", "source_key"]),
            models.CheckConstraint(name="yt_bridge_schedule_side", condition=models.Q(status__in=Side.values)),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
