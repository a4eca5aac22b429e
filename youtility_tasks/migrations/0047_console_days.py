from django.db import migrations, models

from ._sql import frozen, in_every_day, reworded

CHANGES = {
    # A day whose hours are added to is no longer the sum of them: it is made anew.
    "youtility_tasks_add_attempts_v1": [
        (
            "), coarse AS MATERIALIZED (",
            "), days_gone AS (\n"
            "    DELETE FROM youtility_tasks_metricssum d WHERE d.resolution_s = 0\n"
            "       AND d.begins_at IN (SELECT DISTINCT date_trunc(''day'', w.begins_at) FROM whole w WHERE w.resolution_s > 0)\n"
            "), coarse AS MATERIALIZED (",
        ),
    ],
    "youtility_tasks_prune_metrics_v1": [
        ("(s.resolution_s = 3600 AND s.begins_at", "(s.resolution_s IN (0, 3600) AND s.begins_at"),
    ],
}
_FORTH = "\n".join(reworded(function, changes) for function, changes in CHANGES.items())
_BACK = "\n".join(
    reworded(function, [(becomes, was) for was, becomes in changes]) for function, changes in CHANGES.items()
)


def reword(apps: object, editor: object) -> None:
    """As one statement, unless it was done by a run that was cut off after it."""
    with editor.connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(
            "SELECT prosrc LIKE '%days_gone%' FROM pg_proc WHERE proname = 'youtility_tasks_add_attempts_v1'"
        )
        if cursor.fetchone() == (False,):
            cursor.execute(_FORTH)


class Migration(migrations.Migration):
    """Sums of days, for "a month by task"; and indexes behind "enqueued before" and "the newest dead letters".

    Lock: none that stops writers (built concurrently, a day after the other; of the queue's table what is dead is read once). One that is cut off
    is run again. Workers may run; upkeep adds up a day in ten minutes, the newest first, and until then hours are read. Reverse: drops all of it;
    no attempt and no hour is touched.
    """

    atomic = False

    dependencies = [("youtility_tasks", "0045_console_indexes")]

    operations = [
        in_every_day(
            "youtility_tasks_history_enqueued",
            "USING brin (enqueued_at timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on)",
        ),
        in_every_day("youtility_tasks_history_aborted", "(job_id) WHERE status = 'aborted'"),
        migrations.RunSQL(
            [
                "DROP INDEX IF EXISTS youtility_tasks_jobs_dead",
                "CREATE INDEX CONCURRENTLY youtility_tasks_jobs_dead ON procrastinate_jobs (id) WHERE status = 'failed'",
                "DROP INDEX IF EXISTS youtility_tasks_jobs_again",
                "CREATE INDEX CONCURRENTLY youtility_tasks_jobs_again ON procrastinate_jobs (id) WHERE status = 'todo' AND claim_number > 0",
            ],
            "DROP INDEX youtility_tasks_jobs_dead, youtility_tasks_jobs_again",
        ),
        migrations.AlterField(
            "metricssum",
            "resolution_s",
            models.SmallIntegerField(help_text="60, 3600, or 0: a day in UTC, whose seconds no smallint holds"),
        ),
        migrations.RunSQL(
            frozen("0047_days.sql"),
            "DROP FUNCTION youtility_tasks_sum_day_v1(timestamptz,timestamptz);\n"
            "DROP FUNCTION youtility_tasks_fresh_attempts_v1(timestamptz,timestamptz,double precision);\n"
            "DELETE FROM youtility_tasks_metricssum WHERE resolution_s = 0;",
        ),
        migrations.RunPython(reword, lambda apps, editor: editor.execute(_BACK, None)),
    ]
