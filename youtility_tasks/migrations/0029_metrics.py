import django.contrib.postgres.fields
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """Numbers of ended attempts by minute and hour, and totals for the exporter.

    Lock: attempts cannot end while an empty column is added to the history and its index, in which no stored attempt has an entry,
    looks through all of them (1.7 s for two million, on a busy machine); workers wait and try again. Workers of the release before may run: the column has a
    default. With the setting `roles` run `setup_task_queue` afterwards. Reverse: drops the column and the numbers.
    """

    dependencies = [
        ("youtility_tasks", "0028_kept_promises"),
    ]

    operations = [
        migrations.CreateModel(
            name="MetricsMark",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("system_id", models.BigIntegerField(help_text="the server whose transactions these are")),
                ("upto", models.BigIntegerField()),
                ("open", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                (
                    "base_id",
                    models.BigIntegerField(
                        help_text="attempts up to here came with a copy from another server, and are in"
                    ),
                ),
                ("last_id", models.BigIntegerField(help_text="the highest id of an attempt that is in")),
                ("folded_at", models.DateTimeField(help_text="when all that had committed was in")),
                (
                    "past_at",
                    models.DateTimeField(
                        help_text="attempts of before the numbers were kept: those from here are in", null=True
                    ),
                ),
                ("past_id", models.BigIntegerField(null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="yt_mark_is_one")],
            },
        ),
        migrations.CreateModel(
            name="MetricsTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant", models.CharField(help_text="empty: not told apart; other: one of many", max_length=16)),
                ("queue_name", models.CharField(help_text="or other", max_length=128)),
                ("task_name", models.CharField(help_text="or other", max_length=128)),
                ("outcome", models.CharField(max_length=32)),
                ("attempt_count", models.BigIntegerField()),
                ("wait_count", models.BigIntegerField()),
                ("wait_sum_ms", models.FloatField()),
                (
                    "wait_buckets",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None),
                ),
                (
                    "wait_counts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("run_count", models.BigIntegerField()),
                ("run_sum_ms", models.FloatField()),
                (
                    "run_buckets",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None),
                ),
                (
                    "run_counts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "queue_name", "task_name", "outcome"), name="yt_total_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TaskPerformanceMetrics",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField(help_text="0: a sweep's")),
                ("resolution_s", models.SmallIntegerField(help_text="60 or 3600")),
                ("begins_at", models.DateTimeField()),
                ("queue_name", models.CharField(max_length=128)),
                ("task_name", models.CharField(max_length=128)),
                ("outcome", models.CharField(max_length=32)),
                ("attempt_count", models.BigIntegerField()),
                ("retried_count", models.BigIntegerField(help_text="failed, and another attempt follows")),
                ("dead_letter_count", models.BigIntegerField(help_text="failed for the last time")),
                ("wait_count", models.BigIntegerField(help_text="attempts whose wait is known")),
                ("wait_sum_ms", models.FloatField()),
                ("wait_min_ms", models.FloatField(null=True)),
                ("wait_max_ms", models.FloatField(null=True)),
                (
                    "wait_buckets",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None),
                ),
                (
                    "wait_counts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("run_count", models.BigIntegerField(help_text="attempts that began")),
                ("run_sum_ms", models.FloatField()),
                ("run_min_ms", models.FloatField(null=True)),
                ("run_max_ms", models.FloatField(null=True)),
                (
                    "run_buckets",
                    django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None),
                ),
                (
                    "run_counts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                ("cpu_sum_ms", models.FloatField()),
                ("cpu_max_ms", models.FloatField(null=True)),
                ("peak_memory_sum_kib", models.BigIntegerField()),
                ("peak_memory_max_kib", models.BigIntegerField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["resolution_s", "begins_at"], name="yt_metrics_time")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant_id", "resolution_s", "begins_at", "queue_name", "task_name", "outcome"),
                        name="yt_metrics_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("resolution_s__in", [60, 3600])), name="yt_metrics_minute_or_hour"
                    ),
                ],
            },
        ),
        migrations.RunSQL(frozen("0029_metrics.sql"), frozen("0029_metrics.reverse.sql")),
    ]
