from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """How the queues stood a moment ago, for pages beside a crowd.

    Lock: none, it makes tables and functions. Workers of the release before may run: until a new one counts, pages count themselves. With
    the setting `roles` run `setup_task_queue` afterwards. Reverse: drops them.
    """

    dependencies = [
        ("youtility_tasks", "0030_operations"),
    ]

    operations = [
        migrations.CreateModel(
            name="QueueSnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField(help_text="0: a sweep's")),
                ("queue_name", models.CharField(max_length=128)),
                ("todo", models.BigIntegerField(help_text="due")),
                ("doing", models.BigIntegerField()),
                ("scheduled", models.BigIntegerField()),
                ("failed", models.BigIntegerField()),
                ("oldest_at", models.DateTimeField(help_text="since when the oldest due job has been due", null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant_id", "queue_name"), name="yt_snapshot_once")],
            },
        ),
        migrations.CreateModel(
            name="SnapshotMark",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("taken_at", models.DateTimeField()),
                ("took_ms", models.FloatField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="yt_snapshot_is_one")],
            },
        ),
        migrations.RunSQL(frozen("0031_queue_snapshot.sql"), frozen("0031_queue_snapshot.reverse.sql")),
    ]
