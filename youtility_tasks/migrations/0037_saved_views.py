import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Views of the list of jobs that people keep.

    Lock: none, it makes a table. Workers may run. With the setting `roles` run `setup_task_queue` afterwards. Reverse: drops it, and every
    view that somebody has kept.
    """

    dependencies = [("youtility_tasks", "0034_orders")]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(default=0, help_text="0: of an operator, over all tenants")),
                ("user_key", models.CharField(help_text="the user's primary key, as text", max_length=64)),
                ("name", models.CharField(max_length=60)),
                (
                    "query",
                    models.CharField(help_text="what stands behind the question mark of the list", max_length=2000),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "user_key", "name"), name="yt_view_once"),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="yt_view_has_a_name"),
                ],
            },
        ),
    ]
