import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Our own tables: tenants, workers, the effect ledger, counters. Lock: none, they are new. Reverse: drops them."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("queue_name", models.CharField(max_length=128)),
                ("task_name", models.CharField(max_length=128)),
                (
                    "priority",
                    models.IntegerField(default=0, help_text="procrastinate's: 11 minus ours, larger goes first"),
                ),
                ("lock", models.TextField(blank=True, null=True)),
                ("queueing_lock", models.TextField(blank=True, null=True)),
                ("args", models.JSONField(default=dict)),
                ("status", models.CharField(default="todo", max_length=32)),
                ("scheduled_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.IntegerField(default=0, help_text="finished attempts")),
                ("abort_requested", models.BooleanField(default=False)),
                ("worker_id", models.BigIntegerField(blank=True, null=True)),
                ("tenant_id", models.IntegerField(default=0)),
                ("enqueued_at", models.DateTimeField()),
                ("claim_number", models.BigIntegerField(default=0)),
                ("claimed_at", models.DateTimeField(null=True)),
                ("crash_count", models.SmallIntegerField(default=0)),
                ("rescue_count", models.SmallIntegerField(default=0)),
                ("unique_key", models.TextField(blank=True, null=True)),
                ("failed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "procrastinate_jobs",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="TaskExecutionHistory",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("job_id", models.BigIntegerField()),
                ("task_name", models.CharField(max_length=128)),
                ("queue_name", models.CharField(max_length=128)),
                ("tenant_id", models.IntegerField()),
                ("priority", models.SmallIntegerField(help_text="1 (most urgent) to 10")),
                ("attempt", models.IntegerField(help_text="from 1; a crash does not use one up")),
                ("claim_number", models.BigIntegerField()),
                ("worker_id", models.BigIntegerField(null=True)),
                ("host", models.TextField(default="")),
                ("pid", models.IntegerField(null=True)),
                ("enqueued_at", models.DateTimeField()),
                ("scheduled_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField()),
                ("wait_ms", models.FloatField(null=True)),
                ("run_ms", models.FloatField(null=True)),
                ("cpu_ms", models.FloatField(null=True)),
                ("peak_memory_kib", models.BigIntegerField(null=True)),
                ("status", models.CharField(max_length=32)),
                ("outcome", models.CharField(max_length=32)),
                ("is_final", models.BooleanField()),
                ("args", models.JSONField(help_text="kept with the last attempt", null=True)),
                ("result", models.JSONField(null=True)),
                ("error_class", models.TextField(default="")),
                ("error_message", models.TextField(default="")),
                ("traceback", models.TextField(default="")),
            ],
            options={
                "db_table": "youtility_tasks_history",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="QueueCounter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64)),
                ("label", models.CharField(default="", max_length=128)),
                ("value", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("name", "label"), name="yt_counter_once")],
            },
        ),
        migrations.CreateModel(
            name="TaskEffect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField(help_text="0: an effect of no tenant in particular")),
                ("key", models.TextField()),
                ("task_name", models.CharField(default="", max_length=128)),
                ("bu_id", models.BigIntegerField(null=True)),
                ("status", models.CharField(max_length=16)),
                ("job_id", models.BigIntegerField(help_text="the job that wrote or reserved it", null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("payload", models.JSONField(null=True)),
                ("note", models.TextField(default="")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "done"), _negated=True),
                        fields=["tenant_id", "created_at"],
                        name="yt_effect_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "key"), name="yt_effect_once"),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["pending", "reserved", "done"])),
                        name="yt_effect_status_word",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("done_at__isnull", False), ("status", "done")),
                            models.Q(models.Q(("status", "done"), _negated=True), ("done_at__isnull", True)),
                            _connector="OR",
                        ),
                        name="yt_effect_done_has_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TaskWorker",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("host", models.TextField()),
                ("pid", models.IntegerField()),
                ("supervisor_pid", models.IntegerField(null=True)),
                ("queue_name", models.CharField(max_length=128)),
                ("status", models.CharField(max_length=16)),
                ("slots", models.IntegerField(default=1)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("heartbeat_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("stopped_at", models.DateTimeField(null=True)),
                (
                    "children",
                    models.JSONField(default=list, help_text="[{pid, memory_bytes, jobs}] at the last heartbeat"),
                ),
                ("memory_bytes", models.BigIntegerField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["status", "heartbeat_at"], name="yt_worker_heartbeat")],
            },
        ),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.IntegerField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                ("weight", models.PositiveSmallIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id__gt", 0)), name="yt_tenant_id_positive"),
                    models.CheckConstraint(condition=models.Q(("weight__gt", 0)), name="yt_tenant_weight_positive"),
                ],
            },
        ),
    ]
