import django.contrib.postgres.fields
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """Sums of what ended over tenants and tasks, for charts; and indexes behind "what has this person done" and "who has done this".

    Lock: folding of ended attempts waits while the sums of all that is stored are made (a minute for a million attempts), and who acts
    while the audit log is read for its indexes. Workers of the release before may run, and add to the sums. With the setting `roles` run
    `setup_task_queue` afterwards. Reverse: drops them; no other number is touched.
    """

    dependencies = [
        ("youtility_tasks", "0039_heartbeats"),
    ]

    operations = [
        migrations.CreateModel(
            name="MetricsSum",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField(help_text="-1: of all tenants and sweeps; 0: a sweep's")),
                (
                    "level",
                    models.SmallIntegerField(
                        help_text="2: of one task in one queue; 1: of one queue; 0: of everything"
                    ),
                ),
                ("resolution_s", models.SmallIntegerField(help_text="60 or 3600")),
                ("begins_at", models.DateTimeField()),
                ("queue_name", models.CharField(blank=True, help_text="empty: any", max_length=128)),
                ("task_name", models.CharField(blank=True, help_text="empty: any", max_length=128)),
                ("outcome", models.CharField(max_length=32)),
                ("attempt_count", models.BigIntegerField()),
                ("retried_count", models.BigIntegerField()),
                ("dead_letter_count", models.BigIntegerField()),
                ("wait_count", models.BigIntegerField()),
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
                ("run_count", models.BigIntegerField()),
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
                ("peak_memory_max_kib", models.BigIntegerField(null=True)),
            ],
        ),
        migrations.AddIndex(
            model_name="taskauditlog",
            index=models.Index(fields=["actor", "-id"], name="yt_audit_actor"),
        ),
        migrations.AddIndex(
            model_name="taskauditlog",
            index=models.Index(fields=["act", "-id"], name="yt_audit_act"),
        ),
        migrations.AddIndex(
            model_name="metricssum",
            index=models.Index(fields=["resolution_s", "begins_at"], name="yt_sum_time"),
        ),
        migrations.AddConstraint(
            model_name="metricssum",
            constraint=models.UniqueConstraint(
                fields=("tenant_id", "level", "resolution_s", "begins_at", "queue_name", "task_name", "outcome"),
                name="yt_sum_once",
            ),
        ),
        migrations.RunSQL(frozen("0040_sums.sql"), frozen("0040_sums.reverse.sql")),
    ]
