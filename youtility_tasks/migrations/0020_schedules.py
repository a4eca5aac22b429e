import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """Schedules, their occurrences, holidays, and a tenant's zone.

    Lock: a moment on the tenants (a column with a default). Workers of the release before may run; they look at no schedule. With
    the setting `roles` run `setup_task_queue` afterwards. Reverse: drops them.
    """

    dependencies = [
        ("youtility_tasks", "0019_entered"),
    ]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="zone",
            field=models.CharField(
                db_default="UTC",
                default="UTC",
                help_text="IANA name; schedules without a zone of their own keep it",
                max_length=64,
            ),
        ),
        migrations.CreateModel(
            name="ScheduledTask",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(default=0, help_text="0: a sweep, which serves every tenant")),
                ("name", models.CharField(max_length=128)),
                ("task_name", models.CharField(max_length=128)),
                ("args", models.JSONField(blank=True, default=dict, help_text="arguments by name")),
                (
                    "tick_argument",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="argument that is given the tick, in seconds since 1970",
                        max_length=64,
                    ),
                ),
                ("queue_name", models.CharField(blank=True, default="", help_text="empty: the task's", max_length=128)),
                (
                    "priority",
                    models.SmallIntegerField(
                        blank=True, help_text="1 (most urgent) to 10; none: the task's", null=True
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("cron", "cron: at wall times of its zone"),
                            ("interval", "interval: every so many seconds"),
                            ("once", "once: at one instant"),
                        ],
                        default="cron",
                        max_length=16,
                    ),
                ),
                (
                    "cron",
                    models.CharField(blank=True, default="", help_text="minute hour day month weekday", max_length=200),
                ),
                ("every_s", models.BigIntegerField(blank=True, help_text="interval: seconds", null=True)),
                (
                    "at",
                    models.DateTimeField(
                        blank=True, help_text="once: when; interval: a tick from which it counts", null=True
                    ),
                ),
                ("zone", models.CharField(blank=True, default="", help_text="empty: the tenant's", max_length=64)),
                (
                    "days",
                    models.CharField(
                        choices=[
                            ("every_day", "every day"),
                            ("working_days", "working days"),
                            ("no_holidays", "every day but holidays"),
                            ("first_working_day", "the first working day of the month"),
                            ("last_working_day", "the last working day of the month"),
                        ],
                        default="every_day",
                        max_length=32,
                    ),
                ),
                ("working_weekdays", models.CharField(default="12345", help_text="1 is Monday", max_length=7)),
                (
                    "site_id",
                    models.BigIntegerField(blank=True, help_text="its holidays count beside the tenant's", null=True),
                ),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_to", models.TimeField(blank=True, null=True)),
                (
                    "jitter_s",
                    models.PositiveIntegerField(
                        default=0, help_text="its job waits up to so many seconds, always the same for a tick"
                    ),
                ),
                (
                    "missed",
                    models.CharField(
                        choices=[
                            ("none", "none: skipped, but for the last one within its grace"),
                            ("latest", "latest: the last one fires, however late"),
                            ("all", "all: the last `missed_most` fire"),
                        ],
                        default="latest",
                        max_length=16,
                    ),
                ),
                ("missed_most", models.PositiveIntegerField(default=1, help_text="missed=all: at most so many")),
                ("grace_s", models.PositiveIntegerField(default=60, help_text="seconds after which a tick is missed")),
                (
                    "overlap",
                    models.CharField(
                        choices=[
                            ("allow", "allow: both run"),
                            ("skip", "skip: the tick is skipped"),
                            ("cancel_running", "cancel_running: the earlier one is cancelled, or asked to end"),
                        ],
                        default="allow",
                        max_length=16,
                    ),
                ),
                ("is_paused", models.BooleanField(default=False)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("paused_until", models.DateTimeField(blank=True, help_text="none: until somebody resumes", null=True)),
                ("paused_by", models.CharField(blank=True, default="", max_length=200)),
                ("pause_reason", models.TextField(blank=True, default="")),
                (
                    "live_jobs",
                    models.JSONField(
                        blank=True, default=list, help_text="ids of its jobs that had not ended at its last tick"
                    ),
                ),
                (
                    "declared",
                    models.JSONField(blank=True, help_text="what set-up last made of a declared schedule", null=True),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_by", models.CharField(blank=True, default="", max_length=200)),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "settled_to",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="every tick up to then has its row",
                    ),
                ),
                ("next_at", models.DateTimeField(blank=True, help_text="when a worker looks at it next", null=True)),
            ],
            options={
                "ordering": ["tenant_id", "name"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_at__isnull", False)), fields=["next_at"], name="yt_schedule_due"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "name"), name="yt_schedule_name_once"),
                    models.UniqueConstraint(fields=("tenant_id", "id"), name="yt_schedule_of_tenant"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["cron", "interval", "once"])), name="yt_schedule_kind_word"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("missed__in", ["none", "latest", "all"])), name="yt_schedule_missed_word"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("overlap__in", ["allow", "skip", "cancel_running"])),
                        name="yt_schedule_overlap_word",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "days__in",
                                ["every_day", "working_days", "no_holidays", "first_working_day", "last_working_day"],
                            )
                        ),
                        name="yt_schedule_days_word",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "cron"), models.Q(("cron", ""), _negated=True)),
                            models.Q(("at__isnull", False), ("every_s__gte", 1), ("kind", "interval")),
                            models.Q(("at__isnull", False), ("kind", "once")),
                            _connector="OR",
                        ),
                        name="yt_schedule_has_its_timing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("quiet_from", None), ("quiet_to", None)),
                            models.Q(("quiet_from__isnull", False), ("quiet_to__isnull", False)),
                            _connector="OR",
                        ),
                        name="yt_schedule_quiet_both",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("missed_most__range", (1, 1000))), name="yt_schedule_missed_some"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("removed_at", None), ("next_at__isnull", True), _connector="OR"),
                        name="yt_schedule_removed_is_off",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScheduledTaskExecution",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField()),
                ("schedule_id", models.BigIntegerField(help_text="with tenant_id: the schedule's key")),
                ("tick_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField(help_text="the schedule's, by which it was decided")),
                ("outcome", models.CharField(choices=[("fired", "Fired"), ("skipped", "Skipped")], max_length=16)),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("missed", "nobody was there in time"),
                            ("overlap", "a job of an earlier tick had not ended"),
                            ("held", "a pause of its queue, task or tenant, under which a job of it waits already"),
                            ("paused", "the schedule was paused"),
                            ("holiday", "a holiday"),
                            ("quiet_hours", "quiet hours"),
                            ("refused", "its job was refused"),
                            ("twin", "another job holds its lock or key"),
                        ],
                        default="",
                        max_length=16,
                    ),
                ),
                ("detail", models.TextField(blank=True, default="")),
                ("job_id", models.BigIntegerField(blank=True, null=True)),
                (
                    "starts_at",
                    models.DateTimeField(blank=True, help_text="not before: the tick and its jitter", null=True),
                ),
                ("decided_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "tick_count",
                    models.BigIntegerField(
                        default=1, help_text="skipped ticks for which the row stands, this one the first"
                    ),
                ),
                ("by_hand", models.BooleanField(default=False, help_text="run now: no tick of the rule")),
            ],
            options={
                "ordering": ["-tick_at"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("job_id__isnull", False)), fields=["job_id"], name="yt_occurrence_job"
                    ),
                    models.Index(fields=["decided_at"], name="yt_occurrence_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "schedule_id", "tick_at"), name="yt_occurrence_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome", "fired"), ("reason", "")),
                            models.Q(
                                ("job_id", None),
                                ("outcome", "skipped"),
                                (
                                    "reason__in",
                                    [
                                        "missed",
                                        "overlap",
                                        "held",
                                        "paused",
                                        "holiday",
                                        "quiet_hours",
                                        "refused",
                                        "twin",
                                    ],
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="yt_occurrence_fired_or_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScheduleHoliday",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(default=0, help_text="0: for the sweeps")),
                ("site_id", models.BigIntegerField(blank=True, help_text="none: for all its sites", null=True)),
                ("day", models.DateField()),
                ("name", models.CharField(max_length=200)),
            ],
            options={
                "ordering": ["tenant_id", "day", "site_id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant_id", "day", "site_id"), name="yt_holiday_once", nulls_distinct=False
                    )
                ],
            },
        ),
        migrations.RunSQL(frozen("0020_schedules.sql"), frozen("0020_schedules.reverse.sql")),
    ]
