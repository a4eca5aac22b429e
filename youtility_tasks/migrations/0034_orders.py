from django.db import migrations, models


class Migration(migrations.Migration):
    """A worker process may be told to be quiet, or to leave; two plurals of the admin, which change nothing in the database.

    Lock: workers wait for the moment in which empty columns are added to their table, and its few rows are checked. Workers may
    run; those of the release before take no orders. With the setting `roles` run `setup_task_queue` afterwards. Reverse: drops
    the columns; quiet workers go on.
    """

    dependencies = [("youtility_tasks", "0032_turns_for_less")]
    operations = [
        migrations.AddField(
            "taskworker",
            "told",
            models.CharField(
                max_length=8, blank=True, default="", db_default="", help_text="quiet or drain; see orders.py"
            ),
        ),
        migrations.AddField("taskworker", "told_at", models.DateTimeField(null=True, blank=True)),
        migrations.AddField(
            "taskworker", "told_by", models.CharField(max_length=200, blank=True, default="", db_default="")
        ),
        migrations.AddField("taskworker", "told_reason", models.TextField(blank=True, default="", db_default="")),
        migrations.AddConstraint(
            "taskworker",
            models.CheckConstraint(condition=models.Q(told__in=["", "quiet", "drain"]), name="yt_worker_told"),
        ),
        migrations.AlterModelOptions(
            "taskexecutionhistory", {"managed": False, "verbose_name_plural": "task execution history"}
        ),
        migrations.AlterModelOptions("upkeepduty", {"verbose_name_plural": "upkeep duties"}),
    ]
