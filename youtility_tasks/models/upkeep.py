"""What upkeep remembers."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class UpkeepDuty(models.Model):
    """A duty of upkeep: whoever sets `begun_at` forward does it, so that of many workers one does."""

    name = models.CharField(max_length=64, primary_key=True)
    begun_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    done_count = models.BigIntegerField(default=0, help_text="what its last run did")
    error = models.TextField(default="", help_text="empty: its last run went well")

    class Meta:
        verbose_name_plural = "upkeep duties"

    def __str__(self) -> str:
        return f"{self.name}: {self.error or self.done_count}"
