from django.db import migrations

from ._sql import as_it_was, frozen


class Migration(migrations.Migration):
    """A job that ends while the present day of the history is made is written down, and does not fail once.

    Lock: none; a function gets another body. Workers may run. Reverse: puts the former body back.
    """

    dependencies = [("youtility_tasks", "0017_turns_and_put_off")]
    operations = [
        migrations.RunSQL(
            frozen("0018_first_day.sql"),
            as_it_was("0015_tenancy.sql", "youtility_tasks_add_history_day_v1") + frozen("0018_first_day.reverse.sql"),
        )
    ]
