import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Where calls of a task go that Celery ran, how Celery's side did, and what is on its way between the sides.

    Lock: none, it makes tables. Workers may run. With the setting `roles` run `setup_task_queue` afterwards. Reverse: drops them, and
    every route; calls then go where the setting `celery_bridge_default` says.
    """

    dependencies = [("youtility_tasks", "0044_traces")]

    operations = [
        migrations.CreateModel(
            name="BridgeRoute",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("task_name", models.CharField(max_length=128, unique=True)),
                (
                    "side",
                    models.CharField(
                        choices=[
                            ("celery", "Celery runs it"),
                            ("shadow", "Celery runs it, and we run it beside without any effect"),
                            ("canary", "we run a share of the calls, Celery the others"),
                            ("postgres", "we run it"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "percent",
                    models.FloatField(default=0, help_text="of a canary: the share of tenants (or keys) that we run"),
                ),
                (
                    "sticks_to",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="empty: the tenant; *: all arguments; else an argument's name",
                        max_length=128,
                    ),
                ),
                (
                    "version",
                    models.IntegerField(default=1, help_text="raised by each change, so that none is lost to another"),
                ),
                ("changed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("changed_by", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.TextField(blank=True, default="")),
            ],
            options={
                "ordering": ["task_name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("side__in", ["celery", "shadow", "canary", "postgres"])),
                        name="yt_bridge_route_side_word",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("percent__gte", 0), ("percent__lte", 100)), name="yt_bridge_route_percent"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BridgeRun",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(help_text="0: of no tenant")),
                ("task_name", models.CharField(max_length=128)),
                (
                    "side",
                    models.CharField(
                        choices=[("celery", "Celery"), ("shadow", "we, without any effect")], max_length=16
                    ),
                ),
                ("celery_id", models.CharField(max_length=255)),
                (
                    "attempt",
                    models.IntegerField(help_text="from 1; a message that was delivered twice has one number twice"),
                ),
                ("outcome", models.CharField(help_text="succeeded, failed, retry, cancelled", max_length=16)),
                (
                    "wait_ms",
                    models.FloatField(help_text="from the call, or from when it was due, to its start", null=True),
                ),
                ("run_ms", models.FloatField(null=True)),
                ("result", models.JSONField(help_text="up to 4 KiB; a larger one is in its digest alone", null=True)),
                (
                    "digest",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="SHA-256 of the result's JSON, without what is not compared",
                        max_length=64,
                    ),
                ),
                (
                    "kept_back",
                    models.TextField(
                        blank=True,
                        default="",
                        help_text="of a shadow: what it wanted to do outside; its result is then not compared",
                    ),
                ),
                ("error_class", models.TextField(blank=True, default="")),
                ("error_message", models.TextField(blank=True, default="")),
                ("finished_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "indexes": [
                    models.Index(fields=["task_name", "-finished_at"], name="yt_bridge_run_task"),
                    models.Index(fields=["tenant_id", "celery_id"], name="yt_bridge_run_call"),
                    models.Index(fields=["finished_at"], name="yt_bridge_run_at"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["succeeded", "failed", "retry", "cancelled"])),
                        name="yt_bridge_run_outcome_word",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("side__in", ["celery", "shadow"])), name="yt_bridge_run_side_word"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BridgeMove",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(help_text="0: of no tenant")),
                ("task_name", models.CharField(max_length=128)),
                ("celery_id", models.CharField(max_length=255)),
                ("queue_name", models.CharField(help_text="the list of Redis", max_length=128)),
                ("message", models.TextField(help_text="as kombu lays it down")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
    ]
