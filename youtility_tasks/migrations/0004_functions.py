from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """The worker's functions, version 1.

    Lock: none. A later version gets a new name, and the old one stays for a release, so that old workers live through a
    deployment. Reverse: drops the functions; stop the workers first.
    """

    dependencies = [("youtility_tasks", "0003_history")]
    operations = [migrations.RunSQL(frozen("0004_functions.sql"), frozen("0004_functions.reverse.sql"))]
