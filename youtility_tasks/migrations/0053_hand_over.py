from django.db import migrations

from ._sql import as_it_was, frozen, reworded

# Of a job that was handed over a moment ago its worker may not have heard yet.
_WAS = "AND j.id NOT IN (SELECT"
_BECOMES = "AND (j.claimed_at < clock_timestamp() - interval ''0.5 seconds'') IS NOT FALSE AND j.id NOT IN (SELECT"


class Migration(migrations.Migration):
    """A job that comes to an idle queue is handed to an idle worker by the transaction that enqueues it.

    Lock: on procrastinate's table of workers, for a moment. Workers may run: those of the version before are handed nothing. With the setting
    `roles` run `setup_task_queue` before workers of this version start. Reverse: stop the workers first, they call it.
    """

    dependencies = [("youtility_tasks", "0052_looks")]

    operations = [
        migrations.RunSQL(
            frozen("0053_hand_over.sql"),
            as_it_was("0008_lean.sql", "youtility_tasks_wake_v1")
            + as_it_was("0004_functions.sql", "youtility_tasks_unregister_v1")
            + "DROP FUNCTION youtility_tasks_hand_over_v1, youtility_tasks_offer_v1;"
            "DROP TABLE youtility_tasks_offer;",
        ),
        migrations.RunSQL(
            reworded("youtility_tasks_renew_v1", [(_WAS, _BECOMES)]),
            reworded("youtility_tasks_renew_v1", [(_BECOMES, _WAS)]),
        ),
    ]
