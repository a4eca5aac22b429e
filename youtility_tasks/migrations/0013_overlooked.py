from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """The claim overlooks nobody: neither the urgent among many that came due, nor one tenant or lock among thousands.

    Lock: writers of procrastinate_jobs wait while two small indexes are built. Workers of the release before
    may run: what they call claims in the new way. Reverse: puts the former functions back; no data is touched.
    """

    dependencies = [("youtility_tasks", "0012_rescues")]
    operations = [
        migrations.RunSQL(
            frozen("0013_overlooked.sql"),
            "".join(
                as_it_was("0010_turns.sql", f"youtility_tasks_{name}")
                for name in ("ready_v1", "lock_heads_v2", "claim_v2")
            )
            + frozen("0013_overlooked.reverse.sql")
            + as_it_was("0011_limits.sql", "youtility_tasks_claim_limited_v1")
            + as_it_was("0012_rescues.sql", "youtility_tasks_rescue_v1"),
        )
    ]
