from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """The rescue that also finds jobs of dead stock workers, and of workers that procrastinate has pruned.

    Lock: writers of procrastinate_jobs wait while a small partial index is built. Workers of the release before may run:
    their rescue stays. Reverse: drops both; no data is touched.
    """

    dependencies = [("youtility_tasks", "0008_lean")]
    operations = [
        migrations.RunSQL(
            frozen("0009_strays.sql"),
            frozen("0009_strays.reverse.sql") + as_it_was("0004_functions.sql", "youtility_tasks_rescue_v1"),
        )
    ]
