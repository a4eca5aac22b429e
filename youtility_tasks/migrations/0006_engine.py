from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """The claim that never walks blocked or future jobs, the finish that keeps what an attempt printed, quiet events.

    Lock: short exclusive locks on procrastinate_jobs (columns with constant defaults, triggers); its indexes are built
    with writers waiting, so run it while few jobs wait. Workers of the release before may run: their functions stay.
    Reverse: puts procrastinate's own triggers and the former indexes back; stop the workers first.
    """

    dependencies = [("youtility_tasks", "0005_history_days")]
    operations = [migrations.RunSQL(frozen("0006_engine.sql"), frozen("0006_engine.reverse.sql"))]
