"""Numbers of the attempts that ended: by minute and hour, in all, and up to where they have been added up."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class TaskPerformanceMetrics(models.Model):
    """The attempts of one task on one queue, of one tenant and with one outcome, that ended in a minute or an hour.

    A histogram is two lists: buckets that hold something, in order, and how many each holds. Bucket i holds what is above
    2^((i-1)/8) ms and at most 2^(i/8) ms; two histograms are added bucket by bucket.
    """

    tenant_id = models.IntegerField(help_text="0: a sweep's")
    resolution_s = models.SmallIntegerField(help_text="60 or 3600")
    begins_at = models.DateTimeField()
    queue_name = models.CharField(max_length=128)
    task_name = models.CharField(max_length=128)
    outcome = models.CharField(max_length=32)
    attempt_count = models.BigIntegerField()
    retried_count = models.BigIntegerField(help_text="failed, and another attempt follows")
    dead_letter_count = models.BigIntegerField(help_text="failed for the last time")
    wait_count = models.BigIntegerField(help_text="attempts whose wait is known")
    wait_sum_ms = models.FloatField()
    wait_min_ms = models.FloatField(null=True)
    wait_max_ms = models.FloatField(null=True)
    wait_buckets = ArrayField(models.SmallIntegerField())
    wait_counts = ArrayField(models.BigIntegerField())
    run_count = models.BigIntegerField(help_text="attempts that began")
    run_sum_ms = models.FloatField()
    run_min_ms = models.FloatField(null=True)
    run_max_ms = models.FloatField(null=True)
    run_buckets = ArrayField(models.SmallIntegerField())
    run_counts = ArrayField(models.BigIntegerField())
    cpu_sum_ms = models.FloatField()
    cpu_max_ms = models.FloatField(null=True)
    peak_memory_sum_kib = models.BigIntegerField()
    peak_memory_max_kib = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "resolution_s", "begins_at", "queue_name", "task_name", "outcome"],
                name="yt_metrics_once",
            ),
            models.CheckConstraint(condition=models.Q(resolution_s__in=[60, 3_600]), name="yt_metrics_minute_or_hour"),
        ]
        indexes = [models.Index(fields=["resolution_s", "begins_at"], name="yt_metrics_time")]

    def __str__(self) -> str:
        return f"{self.task_name} {self.outcome} {self.begins_at:%Y-%m-%d %H:%M}Z: {self.attempt_count}"


class MetricsSum(models.Model):
    """The attempts of several names at once that ended in a minute, an hour or a day: what charts of a long time are made of.

    Of all tenants minutes and hours by task, by queue and of everything; of each tenant hours by queue and of everything; of days that are
    over all of these and each tenant's tasks. Its columns are those of TaskPerformanceMetrics.
    """

    tenant_id = models.IntegerField(help_text="-1: of all tenants and sweeps; 0: a sweep's")
    level = models.SmallIntegerField(help_text="2: of one task in one queue; 1: of one queue; 0: of everything")
    resolution_s = models.SmallIntegerField(help_text="60, 3600, or 0: a day in UTC, whose seconds no smallint holds")
    begins_at = models.DateTimeField()
    queue_name = models.CharField(max_length=128, blank=True, help_text="empty: any")
    task_name = models.CharField(max_length=128, blank=True, help_text="empty: any")
    outcome = models.CharField(max_length=32)
    attempt_count = models.BigIntegerField()
    retried_count = models.BigIntegerField()
    dead_letter_count = models.BigIntegerField()
    wait_count = models.BigIntegerField()
    wait_sum_ms = models.FloatField()
    wait_min_ms = models.FloatField(null=True)
    wait_max_ms = models.FloatField(null=True)
    wait_buckets = ArrayField(models.SmallIntegerField())
    wait_counts = ArrayField(models.BigIntegerField())
    run_count = models.BigIntegerField()
    run_sum_ms = models.FloatField()
    run_min_ms = models.FloatField(null=True)
    run_max_ms = models.FloatField(null=True)
    run_buckets = ArrayField(models.SmallIntegerField())
    run_counts = ArrayField(models.BigIntegerField())
    cpu_sum_ms = models.FloatField()
    cpu_max_ms = models.FloatField(null=True)
    peak_memory_max_kib = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "level", "resolution_s", "begins_at", "queue_name", "task_name", "outcome"],
                name="yt_sum_once",
            ),
        ]
        indexes = [models.Index(fields=["resolution_s", "begins_at"], name="yt_sum_time")]

    def __str__(self) -> str:
        return f"{self.task_name or self.queue_name or 'everything'} {self.outcome} {self.begins_at:%Y-%m-%d %H:%M}Z: {self.attempt_count}"


class MetricsTotal(models.Model):
    """All attempts that ever ended, by names of which there are not many; no retention makes it fall. For the exporter."""

    tenant = models.CharField(max_length=16, help_text="empty: not told apart; other: one of many")
    queue_name = models.CharField(max_length=128, help_text="or other")
    task_name = models.CharField(max_length=128, help_text="or other")
    outcome = models.CharField(max_length=32)
    attempt_count = models.BigIntegerField()
    wait_count = models.BigIntegerField()
    wait_sum_ms = models.FloatField()
    wait_buckets = ArrayField(models.SmallIntegerField())
    wait_counts = ArrayField(models.BigIntegerField())
    run_count = models.BigIntegerField()
    run_sum_ms = models.FloatField()
    run_buckets = ArrayField(models.SmallIntegerField())
    run_counts = ArrayField(models.BigIntegerField())
    took_buckets = ArrayField(models.SmallIntegerField(), default=list)
    took_counts = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "queue_name", "task_name", "outcome"], name="yt_total_once")
        ]

    def __str__(self) -> str:
        return f"{self.task_name}@{self.queue_name} {self.outcome}: {self.attempt_count}"


class MetricsMark(models.Model):
    """Which transactions' attempts are in the numbers: all before `upto` but those that were open then. There is one row."""

    id = models.SmallIntegerField(primary_key=True)
    system_id = models.BigIntegerField(help_text="the server whose transactions these are")
    upto = models.BigIntegerField()
    open = ArrayField(models.BigIntegerField())
    base_id = models.BigIntegerField(help_text="attempts up to here came with a copy from another server, and are in")
    last_id = models.BigIntegerField(help_text="the highest id of an attempt that is in")
    folded_at = models.DateTimeField(help_text="when all that had committed was in")
    past_at = models.DateTimeField(
        null=True, help_text="attempts of before the numbers were kept: those from here are in"
    )
    past_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="yt_mark_is_one")]

    def __str__(self) -> str:
        return f"folded {self.folded_at:%Y-%m-%d %H:%M:%S}Z"
