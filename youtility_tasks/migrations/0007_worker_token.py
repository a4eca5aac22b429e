from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """A worker's token, by which its successor rescues its jobs at once when it has died.

    Lock: a short exclusive lock on the table of workers (a column with a constant default). Workers of the release
    before may run: they register without a token, and are rescued by their lease. Reverse: drops function and column;
    stop the workers first.
    """

    dependencies = [("youtility_tasks", "0006_engine")]
    operations = [
        migrations.AddField(
            "taskworker",
            "token",
            models.CharField(
                db_default="", help_text="one life of one process; pids and hosts come back", max_length=32
            ),
        ),
        migrations.RunSQL(frozen("0007_worker_token.sql"), frozen("0007_worker_token.reverse.sql")),
    ]
