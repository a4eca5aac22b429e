from django.db import migrations

from ._sql import frozen


class Migration(migrations.Migration):
    """A claim in one statement, for the job that comes to an idle queue.

    Lock: none. Workers may run. With the setting `roles` run `setup_task_queue` afterwards. Reverse: stop the workers first, they call it.
    """

    dependencies = [("youtility_tasks", "0050_jobs_of_tenant")]

    operations = [
        migrations.RunSQL(
            frozen("0051_lone_job.sql"), "DROP FUNCTION youtility_tasks_pump_lone_v1, youtility_tasks_claim_lone_v1"
        ),
    ]
