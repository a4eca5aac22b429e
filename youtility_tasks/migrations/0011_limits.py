import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """Limits on what runs, rates and pauses.

    Lock: none that anybody notices. Workers of the release before may run, and know no limits. Reverse: drops the
    controls and lets go of what was parked under them.
    """

    dependencies = [("youtility_tasks", "0010_turns")]
    operations = [
        migrations.CreateModel(
            name="QueueControl",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("queue_name", models.CharField(blank=True, default="", help_text="empty: any queue", max_length=128)),
                ("task_name", models.CharField(blank=True, default="", help_text="empty: any task", max_length=128)),
                ("tenant_id", models.IntegerField(blank=True, help_text="none: all tenants together", null=True)),
                (
                    "max_running",
                    models.PositiveIntegerField(
                        blank=True, help_text="jobs that run at once; none: no limit", null=True
                    ),
                ),
                (
                    "rate_per_s",
                    models.FloatField(
                        blank=True, help_text="jobs that may start each second; none: no limit", null=True
                    ),
                ),
                ("burst", models.FloatField(default=1, help_text="jobs that may start at once after a quiet time")),
                ("is_paused", models.BooleanField(default=False)),
                (
                    "paused_until",
                    models.DateTimeField(blank=True, help_text="none: until somebody resumes", null=True),
                ),
                ("reason", models.TextField(blank=True, default="")),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_by", models.CharField(blank=True, default="", max_length=200)),
                (
                    "tokens",
                    models.FloatField(db_default=1.0, help_text="starts that are left of the rate at `refilled_at`"),
                ),
                ("refilled_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("queue_name", "task_name", "tenant_id"), name="yt_control_once", nulls_distinct=False
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("max_running__gt", 0)), name="yt_control_running_positive"
                    ),
                    models.CheckConstraint(condition=models.Q(("rate_per_s__gt", 0)), name="yt_control_rate_positive"),
                    models.CheckConstraint(condition=models.Q(("burst__gte", 1)), name="yt_control_burst_from_one"),
                ],
            },
        ),
        migrations.RunSQL(frozen("0011_limits.sql"), frozen("0011_limits.reverse.sql")),
    ]
