from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """The tenant token and its keys, acts and upkeep as functions that run with their owner's rights, and no id that tells of another.

    Lock: a short exclusive lock on procrastinate_jobs (a column's default); its writers wait while an index of the dead
    letters is built. Workers of the release before may run; a role
    that owns nothing needs `setup_task_queue` with the setting `roles` before it may cancel or clean up again. Reverse:
    drops them with the keys; run it with no policies in place (`roles` unset, tables NO FORCE and DISABLE).
    """

    dependencies = [("youtility_tasks", "0014_tenants")]
    operations = [
        migrations.RunSQL(
            frozen("0015_tenancy.sql"),
            frozen("0015_tenancy.reverse.sql")
            + as_it_was("0005_history_days.sql", "youtility_tasks_add_history_day_v1")
            + as_it_was("0008_lean.sql", "youtility_tasks_enqueue_v1"),
        )
    ]
