from django.db import migrations

from ._sql import compiled_anew, frozen


class Migration(migrations.Migration):
    """A job and a workflow's run know the trace that they were enqueued under.

    Lock: none may read or write jobs for the moment in which empty columns are added. Workers may run; those of the release
    before make no spans. Reverse: drops the columns; jobs that wait begin traces of their own.
    """

    dependencies = [("youtility_tasks", "0046_bounds_of_acts")]
    operations = [
        migrations.RunSQL(
            f"{frozen('0044_traces.sql')}\n{compiled_anew()}", f"{frozen('0044_traces.reverse.sql')}\n{compiled_anew()}"
        )
    ]
