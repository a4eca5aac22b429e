"""Create the catalogue's own tables.

Lock: none on existing tables. Reverse: drops the tables and what is in them.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Heartbeats, the played clock, what a plan looked like."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("minute", models.DateTimeField()),
                ("worker_group", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
                ("lag_seconds", models.FloatField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("minute", "worker_group"), name="task_catalog_heartbeat_once_a_minute"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PlanFingerprint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("client_id", models.BigIntegerField()),
                ("job_id", models.BigIntegerField(unique=True)),
                ("fingerprint", models.CharField(max_length=64)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["client_id"], name="task_catalog_fingerprint_of")],
            },
        ),
        migrations.CreateModel(
            name="PlayedClock",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("instant", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="task_catalog_one_played_clock")
                ],
            },
        ),
    ]
