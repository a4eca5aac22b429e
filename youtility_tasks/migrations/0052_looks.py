from django.db import migrations

from ._sql import frozen, reworded

# In a session that never opened a cursor among locks the answer was NULL.
_WAS = "current_setting(''youtility_tasks.locks_from'', true) <> ''''"
_BECOMES = "coalesce(current_setting(''youtility_tasks.locks_from'', true), '''') <> ''''"


class Migration(migrations.Migration):
    """What workers look for beside jobs, schedules and operations, waits for no lock on their tables; and a lone job's claim always says whether to
    look again.

    Lock: none. Workers may run. With the setting `roles` run `setup_task_queue` afterwards. Reverse: stop the workers first, they call it.
    """

    dependencies = [("youtility_tasks", "0051_lone_job")]

    operations = [
        migrations.RunSQL(
            frozen("0052_looks.sql"),
            "DROP FUNCTION youtility_tasks_due_schedules_v1, youtility_tasks_unfinished_operations_v1",
        ),
        migrations.RunSQL(
            reworded("youtility_tasks_pump_lone_v1", [(_WAS, _BECOMES)]),
            reworded("youtility_tasks_pump_lone_v1", [(_BECOMES, _WAS)]),
        ),
    ]
