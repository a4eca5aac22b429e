import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen

_DAYS = ["every_day", "weekdays", "working_days", "no_holidays", "first_working_day", "last_working_day"]
_GUARD = "CREATE CONSTRAINT TRIGGER youtility_tasks_guard\n    AFTER INSERT OR UPDATE OF tenant_id, name, task_name"
_WAS = frozen("0030_operations.sql")
_GUARD_AS_IT_WAS = _WAS[_WAS.index(_GUARD) : _WAS.index(";", _WAS.index(_GUARD)) + 1]


class Migration(migrations.Migration):
    """An end of schedules and of their jobs, certain weekdays, and what was Beat's and Celery's before.

    Lock: schedules and their occurrences for a moment. Workers of the release before may run: they fire a schedule past its end, so let none
    have one until they are gone. With the setting `roles` run `setup_task_queue` afterwards. Reverse: ends are forgotten, and a schedule on
    `weekdays` keeps the way back from being gone until it says something else.
    """

    dependencies = [("youtility_tasks", "0042_bridge_sides")]

    operations = [
        migrations.AddField(
            "scheduledtask",
            "until",
            models.DateTimeField(blank=True, help_text="no tick from then on", null=True),
        ),
        migrations.AddField(
            "scheduledtask",
            "expire_s",
            models.PositiveIntegerField(
                blank=True,
                help_text="a job of it that nobody has begun so many seconds after its tick is not run",
                null=True,
            ),
        ),
        migrations.AlterField(
            "scheduledtask",
            "days",
            models.CharField(
                choices=[
                    ("every_day", "every day"),
                    ("weekdays", "certain weekdays"),
                    ("working_days", "working days"),
                    ("no_holidays", "every day but holidays"),
                    ("first_working_day", "the first working day of the month"),
                    ("last_working_day", "the last working day of the month"),
                ],
                default="every_day",
                max_length=32,
            ),
        ),
        migrations.RemoveConstraint("scheduledtask", "yt_schedule_days_word"),
        migrations.AddConstraint(
            "scheduledtask",
            models.CheckConstraint(condition=models.Q(("days__in", _DAYS)), name="yt_schedule_days_word"),
        ),
        migrations.RunSQL(
            frozen("0043_beat.sql"),
            f"DROP TRIGGER youtility_tasks_guard ON youtility_tasks_scheduledtask;\n{_GUARD_AS_IT_WAS}",
        ),
        migrations.CreateModel(
            name="BridgeSchedule",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(default=0, help_text="of our schedule; 0: a sweep's")),
                (
                    "source",
                    models.CharField(
                        choices=[("table", "the tables of django-celery-beat"), ("settings", "beat_schedule")],
                        max_length=16,
                    ),
                ),
                ("source_key", models.CharField(help_text="the row's id, or the name in the settings", max_length=200)),
                ("name", models.CharField(help_text="as Beat calls it", max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("held", "nobody: the hand-over has begun and not ended"),
                            ("ours", "our workers"),
                            ("beat", "Beat again"),
                        ],
                        max_length=16,
                    ),
                ),
                ("schedule_id", models.BigIntegerField(null=True)),
                ("said", models.JSONField(default=dict, help_text="our schedule as the last import made it")),
                ("was", models.JSONField(default=dict, help_text="of Beat's row, for the way back")),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["source", "name"],
                "constraints": [
                    models.UniqueConstraint(fields=("source", "source_key"), name="yt_bridge_schedule_once"),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["held", "ours", "beat"])), name="yt_bridge_schedule_side"
                    ),
                ],
            },
        ),
        migrations.RunSQL(frozen("0043_of_celery.sql"), frozen("0043_of_celery.reverse.sql")),
    ]
