import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """The days of the history are made and dropped by functions, and upkeep remembers when it last did what.

    Lock: SHARE on procrastinate_jobs while an index of few rows is built. Reverse: drops functions, index and memory; the
    days that were made stay and keep their rows.
    """

    dependencies = [("youtility_tasks", "0004_functions")]
    operations = [
        migrations.CreateModel(
            name="UpkeepDuty",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("begun_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ended_at", models.DateTimeField(null=True)),
                ("done_count", models.BigIntegerField(default=0, help_text="what its last run did")),
                ("error", models.TextField(default="", help_text="empty: its last run went well")),
            ],
        ),
        migrations.RunSQL(frozen("0005_history_days.sql"), frozen("0005_history_days.reverse.sql")),
    ]
