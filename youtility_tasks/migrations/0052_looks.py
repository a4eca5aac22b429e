from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """What workers look for beside jobs, schedules and operations, waits for no lock on their tables.

    Lock: none. Workers may run. With the setting `roles` run `setup_task_queue` afterwards. Reverse: stop the workers first, they call it.
    """

    dependencies = [("youtility_tasks", "0051_lone_job")]

    operations = [
        migrations.RunSQL(
            frozen("0052_looks.sql"),
            "DROP FUNCTION youtility_tasks_due_schedules_v1, youtility_tasks_unfinished_operations_v1",
        ),
    ]
