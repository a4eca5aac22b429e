from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """One job enqueued by a function of its own, wake-ups that are shared, a finish that reads by ids, less for a deleted job.

    Lock: a short exclusive lock on procrastinate_jobs (triggers). Workers of the release before may run throughout.
    Reverse: puts procrastinate's own trigger and the former functions back; stop the application first.
    """

    dependencies = [("youtility_tasks", "0007_worker_token")]
    operations = [
        migrations.RunSQL(
            frozen("0008_lean.sql"),
            frozen("0008_lean.reverse.sql")
            + as_it_was("0006_engine.sql", "youtility_tasks_finish_v2")
            + as_it_was("0006_engine.sql", "youtility_tasks_enqueue_v1"),
        )
    ]
