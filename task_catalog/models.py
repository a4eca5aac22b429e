"""The catalogue's own tables, beside the company's: heartbeats, the played clock, what a plan looked like, where files went."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Heartbeat(models.Model):
    """Proof that a worker group ran the job of a minute, and how late."""

    minute = models.DateTimeField()
    worker_group = models.CharField(max_length=100)
    at = models.DateTimeField()
    lag_seconds = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["minute", "worker_group"], name="task_catalog_heartbeat_once_a_minute")
        ]

    def __str__(self) -> str:
        return f"{self.worker_group} at {self.minute}"


class PlayedClock(models.Model):
    """The one row that says which instant it is in the played day."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    instant = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="task_catalog_one_played_clock")]

    def __str__(self) -> str:
        return str(self.instant)


class PlanFingerprint(models.Model):
    """What the schedule-relevant fields of a plan were when its occurrences were last made.

    `job_id` is no foreign key: the plan may live in another application's table.
    """

    client_id = models.BigIntegerField()
    job_id = models.BigIntegerField(unique=True)
    fingerprint = models.CharField(max_length=64)
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["client_id"], name="task_catalog_fingerprint_of")]

    def __str__(self) -> str:
        return f"plan {self.job_id}"


class BlobLocation(models.Model):
    """Where the file of an attachment is, once it has left MEDIA_ROOT; the attachment's own row keeps the local path.

    `attachment_uuid` is no foreign key: the attachment may live in another application's table.
    """

    client_id = models.BigIntegerField()
    attachment_uuid = models.UUIDField()
    bucket = models.CharField(max_length=200)
    """The alias of STORAGES, or the dotted path, by which the bucket was configured."""
    name = models.TextField()
    size = models.BigIntegerField()
    checksum = models.CharField(max_length=64)
    """SHA-256 in hexadecimal."""
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client_id", "attachment_uuid"], name="task_catalog_blob_of_attachment")
        ]

    def __str__(self) -> str:
        return f"{self.bucket}: {self.name}"
