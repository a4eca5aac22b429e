from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """A claim that serves many tenants in turn costs less, and a parked job that is put off leaves the parked ones.

    Lock: for a moment none may write jobs, while a trigger is made; three functions get another body. Workers may run. A job that
    was put off before stays parked until it is due. Reverse: drops the trigger and puts the former bodies back.
    """

    dependencies = [("youtility_tasks", "0016_bounds")]
    operations = [
        migrations.RunSQL(
            frozen("0017_turns_and_put_off.sql"),
            frozen("0017_turns_and_put_off.reverse.sql")
            + as_it_was("0010_turns.sql", "youtility_tasks_tenants_ready_v1")
            + as_it_was("0010_turns.sql", "youtility_tasks_ready_v1")
            + as_it_was("0010_turns.sql", "youtility_tasks_turns_after_v1"),
        )
    ]
