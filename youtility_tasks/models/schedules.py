"""Schedules, their occurrences, and the holidays that they keep."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

TENANTS_OWN = ("args", "declared")
"""What of a schedule only its tenant may see."""


class Kind(models.TextChoices):
    """What a schedule goes by."""

    CRON = "cron", "cron: at wall times of its zone"
    INTERVAL = "interval", "interval: every so many seconds"
    ONCE = "once", "once: at one instant"


class Missed(models.TextChoices):
    """What becomes of ticks at which no worker was there."""

    NONE = "none", "none: skipped, but for the last one within its grace"
    LATEST = "latest", "latest: the last one fires, however late"
    ALL = "all", "all: the last `missed_most` fire"


class Overlap(models.TextChoices):
    """What a tick does while a job of an earlier one has not ended."""

    ALLOW = "allow", "allow: both run"
    SKIP = "skip", "skip: the tick is skipped"
    CANCEL_RUNNING = "cancel_running", "cancel_running: the earlier one is cancelled, or asked to end"


class Days(models.TextChoices):
    """On which days a schedule has ticks."""

    EVERY = "every_day", "every day"
    WEEKDAYS = "weekdays", "certain weekdays"
    WORKING = "working_days", "working days"
    NO_HOLIDAYS = "no_holidays", "every day but holidays"
    FIRST_WORKING = "first_working_day", "the first working day of the month"
    LAST_WORKING = "last_working_day", "the last working day of the month"


class Outcome(models.TextChoices):
    """What became of a tick."""

    FIRED = "fired"
    SKIPPED = "skipped"


class Reason(models.TextChoices):
    """Why a tick was skipped."""

    MISSED = "missed", "nobody was there in time"
    OVERLAP = "overlap", "a job of an earlier tick had not ended"
    HELD = "held", "a pause of its queue, task or tenant, under which a job of it waits already"
    PAUSED = "paused", "the schedule was paused"
    HOLIDAY = "holiday", "a holiday"
    QUIET = "quiet_hours", "quiet hours"
    REFUSED = "refused", "its job was refused"
    TWIN = "twin", "another job holds its lock or key"


class ScheduleQuerySet(models.QuerySet["ScheduledTask"]):
    """Named questions about schedules; each narrows what it is asked of."""

    def there(self) -> ScheduleQuerySet:
        """Those that nobody has removed."""
        return self.filter(removed_at=None)

    def for_tenant(self, tenant_id: int | None) -> ScheduleQuerySet:
        """The schedules of this tenant alone (0: of the sweeps); None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)


class ScheduledTask(models.Model):
    """A rule that makes jobs of one task again and again, for one tenant, or (tenant 0) of a sweep.

    `next_at` says when a worker looks at it next, and is None when never again. Every change of what it says raises `version`, whoever
    makes it: a trigger of the database does.
    """

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(default=0, help_text="0: a sweep, which serves every tenant")
    name = models.CharField(max_length=128)
    task_name = models.CharField(max_length=128)
    args = models.JSONField(default=dict, blank=True, help_text="arguments by name")
    tick_argument = models.CharField(
        max_length=64, default="", blank=True, help_text="argument that is given the tick, in seconds since 1970"
    )
    queue_name = models.CharField(max_length=128, default="", blank=True, help_text="empty: the task's")
    priority = models.SmallIntegerField(null=True, blank=True, help_text="1 (most urgent) to 10; none: the task's")

    kind = models.CharField(max_length=16, choices=Kind, default=Kind.CRON)
    cron = models.CharField(max_length=200, default="", blank=True, help_text="minute hour day month weekday")
    every_s = models.BigIntegerField(null=True, blank=True, help_text="interval: seconds")
    at = models.DateTimeField(null=True, blank=True, help_text="once: when; interval: a tick from which it counts")
    zone = models.CharField(max_length=64, default="", blank=True, help_text="empty: the tenant's")
    until = models.DateTimeField(null=True, blank=True, help_text="no tick from then on")
    days = models.CharField(max_length=32, choices=Days, default=Days.EVERY)
    working_weekdays = models.CharField(max_length=7, default="12345", help_text="1 is Monday")
    site_id = models.BigIntegerField(null=True, blank=True, help_text="its holidays count beside the tenant's")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    jitter_s = models.PositiveIntegerField(
        default=0, help_text="its job waits up to so many seconds, always the same for a tick"
    )
    missed = models.CharField(max_length=16, choices=Missed, default=Missed.LATEST)
    missed_most = models.PositiveIntegerField(default=1, help_text="missed=all: at most so many")
    grace_s = models.PositiveIntegerField(default=60, help_text="seconds after which a tick is missed")
    overlap = models.CharField(max_length=16, choices=Overlap, default=Overlap.ALLOW)
    expire_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="a job of it that nobody has begun so many seconds after its tick is not run"
    )

    is_paused = models.BooleanField(default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True, help_text="none: until somebody resumes")
    paused_by = models.CharField(max_length=200, default="", blank=True)
    pause_reason = models.TextField(default="", blank=True)

    live_jobs = models.JSONField(
        default=list, blank=True, help_text="ids of its jobs that had not ended at its last tick"
    )
    declared = models.JSONField(null=True, blank=True, help_text="what set-up last made of a declared schedule")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    changed_by = models.CharField(max_length=200, default="", blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    settled_to = models.DateTimeField(db_default=Now(), help_text="every tick up to then has its row")
    next_at = models.DateTimeField(null=True, blank=True, help_text="when a worker looks at it next")

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["tenant_id", "name"]
        indexes = [models.Index(fields=["next_at"], name="yt_schedule_due", condition=Q(next_at__isnull=False))]
        constraints = [
            models.UniqueConstraint(name="yt_schedule_name_once", fields=["tenant_id", "name"]),
            models.UniqueConstraint(name="yt_schedule_of_tenant", fields=["tenant_id", "id"]),
            models.CheckConstraint(name="yt_schedule_kind_word", condition=Q(kind__in=Kind.values)),
            models.CheckConstraint(name="yt_schedule_missed_word", condition=Q(missed__in=Missed.values)),
            models.CheckConstraint(name="yt_schedule_overlap_word", condition=Q(overlap__in=Overlap.values)),
            models.CheckConstraint(name="yt_schedule_days_word", condition=Q(days__in=Days.values)),
            models.CheckConstraint(
                name="yt_schedule_has_its_timing",
                condition=(Q(kind=Kind.CRON) & ~Q(cron=""))
                | Q(kind=Kind.INTERVAL, every_s__gte=1, at__isnull=False)
                | Q(kind=Kind.ONCE, at__isnull=False),
            ),
            models.CheckConstraint(
                name="yt_schedule_quiet_both",
                condition=Q(quiet_from=None, quiet_to=None) | Q(quiet_from__isnull=False, quiet_to__isnull=False),
            ),
            models.CheckConstraint(name="yt_schedule_missed_some", condition=Q(missed_most__range=(1, 1_000))),
            models.CheckConstraint(
                name="yt_schedule_removed_is_off", condition=Q(removed_at=None) | Q(next_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        whose = f" of tenant {self.tenant_id}" if self.tenant_id else ""
        return f"{self.name}{whose}"


class OccurrenceQuerySet(models.QuerySet["ScheduledTaskExecution"]):
    """Named questions about occurrences; each narrows what it is asked of."""

    def for_tenant(self, tenant_id: int | None) -> OccurrenceQuerySet:
        """Those of this tenant's schedules (0: of the sweeps'); None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def of_schedule(self, schedule_id: int) -> OccurrenceQuerySet:
        """Those of one schedule."""
        return self.filter(schedule_id=schedule_id)


class ScheduledTaskExecution(models.Model):
    """One occurrence: a tick of a schedule with the job that it made, or with why it made none. Written with the job."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField()
    schedule_id = models.BigIntegerField(help_text="with tenant_id: the schedule's key")
    tick_at = models.DateTimeField()
    version = models.PositiveIntegerField(help_text="the schedule's, by which it was decided")
    outcome = models.CharField(max_length=16, choices=Outcome)
    reason = models.CharField(max_length=16, choices=Reason, default="", blank=True)
    detail = models.TextField(default="", blank=True)
    job_id = models.BigIntegerField(null=True, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True, help_text="not before: the tick and its jitter")
    decided_at = models.DateTimeField(db_default=Now())
    tick_count = models.BigIntegerField(
        default=1, help_text="skipped ticks for which the row stands, this one the first"
    )
    by_hand = models.BooleanField(default=False, help_text="run now: no tick of the rule")

    objects = OccurrenceQuerySet.as_manager()

    class Meta:
        ordering = ["-tick_at"]
        indexes = [
            models.Index(fields=["job_id"], name="yt_occurrence_job", condition=Q(job_id__isnull=False)),
            models.Index(fields=["decided_at"], name="yt_occurrence_age"),
        ]
        constraints = [
            models.UniqueConstraint(name="yt_occurrence_once", fields=["tenant_id", "schedule_id", "tick_at"]),
            models.CheckConstraint(
                name="yt_occurrence_fired_or_why",
                condition=Q(outcome=Outcome.FIRED, reason="")
                | (Q(outcome=Outcome.SKIPPED, job_id=None) & Q(reason__in=Reason.values)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tick_at:%Y-%m-%d %H:%M:%S}: {self.outcome} {self.reason}".strip()


class ScheduleHoliday(models.Model):
    """A day off, of a whole tenant or of one of its sites."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(default=0, help_text="0: for the sweeps")
    site_id = models.BigIntegerField(null=True, blank=True, help_text="none: for all its sites")
    day = models.DateField()
    name = models.CharField(max_length=200)

    class Meta:
        ordering = ["tenant_id", "day", "site_id"]
        constraints = [
            models.UniqueConstraint(
                name="yt_holiday_once", fields=["tenant_id", "day", "site_id"], nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.name}"
