from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """Wake-ups that no transaction's long or failed commit holds back.

    Lock: none. Workers of the release before may run throughout. Reverse: puts the former function back.
    """

    dependencies = [("youtility_tasks", "0009_strays")]
    operations = [
        migrations.RunSQL(frozen("0010_wake.sql"), as_it_was("0008_lean.sql", "youtility_tasks_wake_v1")),
    ]
