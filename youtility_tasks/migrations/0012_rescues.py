from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """No job's priority can make a rescue fail, and the history says whether the worker died or fell silent.

    Lock: writers of procrastinate_jobs wait for a moment; its rows are read without one. Workers may run. Reverse: drops the
    constraint; a priority that was raised by one stays.
    """

    atomic = False
    dependencies = [("youtility_tasks", "0011_limits")]
    operations = [
        migrations.RunSQL(
            "UPDATE procrastinate_jobs SET priority = -2147483647 WHERE priority = -2147483648", migrations.RunSQL.noop
        ),
        migrations.RunSQL(
            frozen("0012_rescues.sql"),
            "ALTER TABLE procrastinate_jobs DROP CONSTRAINT IF EXISTS youtility_tasks_jobs_priority;"
            + as_it_was("0009_strays.sql", "youtility_tasks_rescue_v1"),
        ),
        migrations.RunSQL(
            "ALTER TABLE procrastinate_jobs VALIDATE CONSTRAINT youtility_tasks_jobs_priority", migrations.RunSQL.noop
        ),
    ]
