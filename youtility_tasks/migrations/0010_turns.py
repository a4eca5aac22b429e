from django.db import migrations, models

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """The claim that serves tenants in turn.

    Lock: writers of procrastinate_jobs wait while two indexes of what waits are built. Workers of the release before may
    run: what they call claims in the new way. Reverse: puts the former claim and indexes back; no data is touched.
    """

    atomic = False  # the rows that are changed first must be gone for the indexes
    dependencies = [("youtility_tasks", "0009_strays")]
    operations = [
        migrations.RunSQL(
            # The lowest integer has no negative to order by; 0012 refuses it from then on.
            "UPDATE procrastinate_jobs SET priority = -2147483647 WHERE priority = -2147483648",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            frozen("0010_turns.sql"),
            frozen("0010_turns.reverse.sql")
            + as_it_was("0006_engine.sql", "youtility_tasks_lock_heads_v1")
            + as_it_was("0006_engine.sql", "youtility_tasks_claim_v2"),
        ),
        migrations.AddIndex(
            "tenant", models.Index("id", name="yt_tenant_inactive", condition=models.Q(is_active=False))
        ),
    ]
