from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """The history of attempts, partitioned by day.

    Lock: none, the table is new. Reverse: drops the history with all its rows.
    """

    dependencies = [("youtility_tasks", "0002_job_columns")]
    operations = [migrations.RunSQL(frozen("0003_history.sql"), "DROP TABLE youtility_tasks_history")]
