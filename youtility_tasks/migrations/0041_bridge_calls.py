import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Which job, or step of a run, an id of Celery's means.

    Lock: none, it makes a table. Workers may run. With the setting `roles` run `setup_task_queue` afterwards. Reverse: drops it; who
    asks by such an id then finds nothing.
    """

    dependencies = [("youtility_tasks", "0040_sums")]

    operations = [
        migrations.CreateModel(
            name="BridgeCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField(help_text="0: of no tenant")),
                (
                    "celery_id",
                    models.CharField(help_text="a UUID as text, unless the caller made it up", max_length=255),
                ),
                (
                    "job_id",
                    models.BigIntegerField(
                        help_text="no reference: the job leaves the queue when it has ended", null=True
                    ),
                ),
                (
                    "workflow_id",
                    models.BigIntegerField(help_text="of a canvas: the run that it is a step of", null=True),
                ),
                ("step", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("task_name", models.CharField(max_length=128)),
                ("side", models.CharField(help_text="which side runs it: celery, shadow, postgres", max_length=16)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("job_id__isnull", False)), fields=["job_id"], name="yt_bridge_call_job"
                    ),
                    models.Index(fields=["at"], name="yt_bridge_call_at"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "celery_id"), name="yt_bridge_call_once"),
                    models.CheckConstraint(
                        condition=models.Q(("side__in", ["celery", "shadow", "postgres"])),
                        name="yt_bridge_call_side_word",
                    ),
                ],
            },
        ),
    ]
