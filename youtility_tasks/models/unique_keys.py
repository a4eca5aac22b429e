"""Keys that a job holds for a period, whether it has ended or not; all others are held by the job's own row."""

from __future__ import annotations

from django.db import models


class UniqueKey(models.Model):
    """The job that stands for all calls of a task with one key until an instant; upkeep takes it away after that."""

    tenant_id = models.IntegerField(help_text="0: a sweep's")
    task_name = models.CharField(max_length=128)
    key = models.TextField()
    job_id = models.BigIntegerField(help_text="no reference: the job leaves the queue when it has ended")
    held_until = models.DateTimeField(help_text="by the database's clock")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "task_name", "key"], name="yt_unique_key_once")]
        indexes = [
            # Not the tenant first: planned on an empty table, the search for one key would walk all keys of its tenant.
            models.Index(fields=["job_id"], name="yt_unique_key_job"),
            models.Index(fields=["held_until"], name="yt_unique_key_ends"),
        ]

    def __str__(self) -> str:
        return f"{self.task_name} {self.key} until {self.held_until:%Y-%m-%d %H:%M:%S}Z"
