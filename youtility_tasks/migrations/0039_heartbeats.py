import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """How workers did, minute by minute; their versions, and why children of theirs were replaced.

    Lock: workers wait for the moment in which empty columns are added to their table. Workers may run; those of the release before
    tell nothing of it. With the setting `roles` run `setup_task_queue` afterwards. Reverse: drops the table and the columns.
    """

    dependencies = [("youtility_tasks", "0038_edits_of_schedules")]
    operations = [
        migrations.AddField(
            "taskworker",
            "version",
            models.CharField(blank=True, db_default="", default="", help_text="of this package", max_length=64),
        ),
        migrations.AddField(
            "taskworker", "python", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddField(
            "taskworker",
            "replaced",
            models.JSONField(
                blank=True, help_text="{counts: {why: n}, last: [{at, pid, why, how, jobs}]} of its children", null=True
            ),
        ),
        migrations.AlterField(
            "taskworker",
            "children",
            models.JSONField(
                default=list, help_text="[{pid, memory_bytes, jobs, done, running}] at the last heartbeat"
            ),
        ),
        migrations.CreateModel(
            name="WorkerHeartbeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("worker_id", models.BigIntegerField()),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("memory_bytes", models.BigIntegerField(help_text="resident, of the worker itself, at most")),
                ("children_bytes", models.BigIntegerField(help_text="of all its children together, at most")),
                ("child_count", models.IntegerField()),
                ("running_mean", models.FloatField(help_text="jobs that its children held, on average")),
                ("running_most", models.IntegerField()),
                (
                    "cpu",
                    models.FloatField(
                        help_text="processors that it and its children kept busy, on average: 1.5 is one and a half"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["worker_id", "at"], name="yt_heartbeat_worker"),
                    models.Index(fields=["at"], name="yt_heartbeat_at"),
                ]
            },
        ),
    ]
