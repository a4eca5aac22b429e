from django.db import migrations


class Migration(migrations.Migration):
    """An index of the queue behind "the newest jobs of a tenant": all jobs of the others were walked to find them.

    Its condition holds for every job, and only a statement that says it, as the lists do, can be given this index: the planner takes it for a way
    of claiming a tenant's jobs as well, and a poor one.

    Lock: none that stops writers (built concurrently; of the queue's table all is read once). One that is cut off is run again. Workers may run.
    Reverse: drops the index, no data is touched.
    """

    atomic = False

    dependencies = [("youtility_tasks", "0049_ended_in_time")]

    operations = [
        migrations.RunSQL(
            [
                "DROP INDEX IF EXISTS youtility_tasks_jobs_of_tenant",
                "CREATE INDEX CONCURRENTLY youtility_tasks_jobs_of_tenant ON procrastinate_jobs (tenant_id, id) WHERE id >= 0",
            ],
            "DROP INDEX youtility_tasks_jobs_of_tenant",
        )
    ]
