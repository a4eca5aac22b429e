from django.db import migrations

from ._sql import as_it_was, frozen, reworded

# Of a job that was handed over a moment ago its worker may not have heard yet.
_WAS = "AND j.id NOT IN (SELECT"
_BECOMES = "AND (j.claimed_at < clock_timestamp() - interval ''0.5 seconds'') IS NOT FALSE AND j.id NOT IN (SELECT"

_HANDED = """
DROP TRIGGER IF EXISTS youtility_tasks_handed ON procrastinate_jobs;
CREATE CONSTRAINT TRIGGER youtility_tasks_handed AFTER UPDATE OF claim_number ON procrastinate_jobs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('youtility_tasks.handing', true) = 'on') EXECUTE FUNCTION youtility_tasks_handed_v1();
"""


class Migration(migrations.Migration):
    """A job that comes to an idle queue is handed to an idle worker by the transaction that enqueues it.

    Lock: on the jobs, against writers, until those that write have committed. Workers may run: those of the version before are handed nothing. With the
    setting `roles` run `setup_task_queue` before workers of this version start. Reverse: stop the workers first, they call it.
    """

    # Each step by itself: a table's lock is not held while the next one is waited for, and on the way back nobody calls any more what is dropped.
    atomic = False

    dependencies = [("youtility_tasks", "0052_looks")]

    operations = [
        migrations.RunSQL(
            frozen("0053_offers.sql"),
            "DROP FUNCTION IF EXISTS youtility_tasks_hand_over_v1, youtility_tasks_claim_for_v1, youtility_tasks_offer_v1, youtility_tasks_handed_v1;"
            "DROP TABLE IF EXISTS youtility_tasks_offer;",
        ),
        migrations.RunSQL(_HANDED, "DROP TRIGGER IF EXISTS youtility_tasks_handed ON procrastinate_jobs"),
        migrations.RunSQL(
            frozen("0053_wake.sql"),
            as_it_was("0008_lean.sql", "youtility_tasks_wake_v1")
            + as_it_was("0004_functions.sql", "youtility_tasks_unregister_v1"),
        ),
        migrations.RunSQL(
            reworded("youtility_tasks_renew_v1", [(_WAS, _BECOMES)]),
            reworded("youtility_tasks_renew_v1", [(_BECOMES, _WAS)]),
        ),
    ]
