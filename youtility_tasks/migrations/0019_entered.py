from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """A tenant, a limit, a pause or a role that is changed by SQL is in the audit log as well.

    Lock: for a moment none may write those three small tables; claims of queues with controls wait for it. Workers may run; then
    run `setup_task_queue` if the setting `roles` is used, before anybody changes a limit. Reverse: drops the triggers.
    """

    dependencies = [("youtility_tasks", "0018_first_day")]
    operations = [migrations.RunSQL(frozen("0019_entered.sql"), frozen("0019_entered.reverse.sql"))]
