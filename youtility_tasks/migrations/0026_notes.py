from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """A running job says how far it is, and keeps where its next attempt goes on.

    Lock: none may read or write jobs for the moment in which empty columns are added. Workers may run; those of the release
    before leave the columns empty. Reverse: drops the columns, and what running jobs have noted.
    """

    dependencies = [("youtility_tasks", "0025_uniqueness")]
    operations = [migrations.RunSQL(frozen("0026_notes.sql"), frozen("0026_notes.reverse.sql"))]
