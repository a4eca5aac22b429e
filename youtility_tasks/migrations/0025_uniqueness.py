from django.db import migrations, models

from ._sql import frozen, reworded

LETS_GO = {
    "youtility_tasks_cancel_v1": (
        "    )\n    SELECT g.id, g.task_name, g.queue_name, g.tenant_id FROM gone g ORDER BY g.id;",
        "    ), let_go AS (\n"
        "        DELETE FROM youtility_tasks_uniquekey k USING gone g WHERE k.tenant_id = g.tenant_id AND k.job_id = g.id\n"
        "    )\n    SELECT g.id, g.task_name, g.queue_name, g.tenant_id FROM gone g ORDER BY g.id;",
    ),
    "youtility_tasks_abort_v1": (
        "    )\n    UPDATE procrastinate_jobs j SET abort_requested = true",
        "    ), let_go AS (\n"
        "        DELETE FROM youtility_tasks_uniquekey k USING procrastinate_jobs o\n"
        "         WHERE o.id = ANY (ARRAY(SELECT c.id FROM chosen c)) AND k.tenant_id = o.tenant_id AND k.job_id = o.id\n"
        "    )\n    UPDATE procrastinate_jobs j SET abort_requested = true",
    ),
}
"""What a person takes off the queue stands for no later call, also within its period."""


class Migration(migrations.Migration):
    """More ways for a job to stand for later calls: until it is done, for a period, and with the later call's arguments.

    Lock: none may read or write jobs while an empty column is added, none may write them while its index is built over those that
    wait and the dead letters. Workers of the release before may run. With the setting `roles` run `setup_task_queue` afterwards.
    Reverse: drops the column and the table; jobs stand for no later call by these ways any more.
    """

    dependencies = [("youtility_tasks", "0024_dead_letters")]
    operations = [
        migrations.CreateModel(
            name="UniqueKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField(help_text="0: a sweep's")),
                ("task_name", models.CharField(max_length=128)),
                ("key", models.TextField()),
                (
                    "job_id",
                    models.BigIntegerField(help_text="no reference: the job leaves the queue when it has ended"),
                ),
                ("held_until", models.DateTimeField(help_text="by the database's clock")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["job_id"], name="yt_unique_key_job"),
                    models.Index(fields=["held_until"], name="yt_unique_key_ends"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "task_name", "key"), name="yt_unique_key_once")
                ],
            },
        ),
        migrations.RunSQL(frozen("0025_uniqueness.sql"), frozen("0025_uniqueness.reverse.sql")),
        *(
            migrations.RunSQL(reworded(name, [(was, becomes)]), reworded(name, [(becomes, was)]))
            for name, (was, becomes) in LETS_GO.items()
        ),
    ]
