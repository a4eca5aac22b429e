from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """Our columns on procrastinate's job table, and the indexes of the claim.

    Lock: ACCESS EXCLUSIVE on procrastinate_jobs while the columns are added (their defaults are constant, so no row is
    rewritten) and SHARE while the indexes are built: stop the workers on a table of millions. Reverse: drops them.
    """

    dependencies = [
        ("youtility_tasks", "0001_initial"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]
    operations = [migrations.RunSQL(frozen("0002_job_columns.sql"), frozen("0002_job_columns.reverse.sql"))]
