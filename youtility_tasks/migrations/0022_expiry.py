from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """A job may say until when it is worth beginning.

    Lock: none may read or write jobs while an empty column is added and the jobs that wait are looked through once. Workers may
    run; those of the release before run a job that has expired. Reverse: drops the column, and waiting jobs no longer expire.
    """

    dependencies = [("youtility_tasks", "0021_workflows")]
    operations = [migrations.RunSQL(frozen("0022_expiry.sql"), frozen("0022_expiry.reverse.sql"))]
