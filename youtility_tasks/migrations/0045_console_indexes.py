from django.db import migrations

from ._sql import in_every_day


class Migration(migrations.Migration):
    """Indexes of the history behind "the last failure of each task" and "what was cancelled or aborted", of which there is little.

    Lock: none that stops writers (built concurrently, a day after the other; minutes for ten millions). One that is cut off is run again.
    Workers may run. Reverse: drops the indexes, no data is touched.
    """

    atomic = False

    dependencies = [("youtility_tasks", "0043_beat")]

    operations = [
        in_every_day("youtility_tasks_history_failed", "(task_name, finished_at) WHERE status = 'failed'"),
        in_every_day("youtility_tasks_history_called_off", "(job_id) WHERE status IN ('cancelled', 'aborted')"),
    ]
