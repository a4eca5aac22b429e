"""Let the database refuse a second occurrence of a plan at the same instant.

The tasks do not rely on it (another application's tables may lack it); it guards against everybody else. Clean up
doubles before: it fails if there are any.

Lock: SHARE on jobneed, so writers wait while it is built. Reverse: drops the index, no data is touched.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """A partial unique index on scheduled roots."""

    dependencies = [
        ("facility", "0001_tables"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="jobneed",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("parent__isnull", True), ("parent", 1), _connector="OR"), ("jobtype", "SCHEDULE")
                ),
                fields=("job", "plandatetime"),
                name="jobneed_planned_once",
            ),
        ),
    ]
