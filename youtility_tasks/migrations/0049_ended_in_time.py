from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

from ._sql import frozen, reworded

# From when a job was due to its end. An attempt knows when it was due itself; after a retry the job was when its first attempt of this
# set was, which the history has as long as it is kept. By the job's index (0.03 ms a job): with a LIMIT,
# or two bounds of time that an index serves, PostgreSQL goes through all that ended lately (15 ms).
TOOK = """           CASE WHEN h.is_final AND h.status IN (''succeeded'', ''failed'') THEN coalesce(
                CASE WHEN h.attempt > 1 THEN 1000 * extract(epoch FROM h.finished_at - (
                    SELECT (array_agg(greatest(f.enqueued_at, f.scheduled_at) ORDER BY f.finished_at DESC))[1] FROM youtility_tasks_history f
                     WHERE f.job_id = h.job_id AND f.attempt = 1 AND f.finished_at >= h.enqueued_at AND (f.finished_at <= h.finished_at) IS TRUE)) END,
                h.wait_ms + coalesce(h.run_ms, 0)) END AS took_ms,
"""
CHANGES = [
    ("           h.cpu_ms, h.peak_memory_kib, youtility_tasks_bucket_v1", f"{TOOK}           h.cpu_ms, h.peak_memory_kib, youtility_tasks_bucket_v1"),
    ("e.wait_bucket, e.run_bucket\n      FROM ended e CROSS JOIN", "e.wait_bucket, e.run_bucket, e.took_ms\n      FROM ended e CROSS JOIN"),
    (
        "), totals AS (\n",
        """), took AS (
    SELECT t.tenant, t.queue_name, t.task_name, t.outcome, array_agg(t.bucket ORDER BY t.bucket) AS buckets, array_agg(t.n ORDER BY t.bucket) AS counts
      FROM (SELECT p.tenant, p.queue_name, p.task_name, p.outcome, youtility_tasks_bucket_v1(p.took_ms) AS bucket, count(*) AS n
              FROM placed p WHERE p.resolution_s = 0 AND p.took_ms IS NOT NULL GROUP BY 1, 2, 3, 4, 5) t
     GROUP BY 1, 2, 3, 4
), totals AS (
""",
    ),
    (
        "           run_count, run_sum_ms, run_buckets, run_counts)\n"
        "    SELECT w.tenant, w.queue_name, w.task_name, w.outcome, w.attempt_count, w.wait_count, w.wait_sum_ms, w.wait_buckets, w.wait_counts,\n"
        "           w.run_count, w.run_sum_ms, w.run_buckets, w.run_counts\n"
        "      FROM whole w WHERE w.resolution_s = 0\n",
        "           run_count, run_sum_ms, run_buckets, run_counts, took_buckets, took_counts)\n"
        "    SELECT w.tenant, w.queue_name, w.task_name, w.outcome, w.attempt_count, w.wait_count, w.wait_sum_ms, w.wait_buckets, w.wait_counts,\n"
        "           w.run_count, w.run_sum_ms, w.run_buckets, w.run_counts, coalesce(k.buckets, ''{}''), coalesce(k.counts, ''{}'')\n"
        "      FROM whole w LEFT JOIN took k USING (tenant, queue_name, task_name, outcome) WHERE w.resolution_s = 0\n",
    ),
    (
        "           (run_buckets, run_counts) = (SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(\n"
        "               t.run_buckets, t.run_counts, excluded.run_buckets, excluded.run_counts) s)\n",
        "           (run_buckets, run_counts) = (SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(\n"
        "               t.run_buckets, t.run_counts, excluded.run_buckets, excluded.run_counts) s),\n"
        "           (took_buckets, took_counts) = (SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(\n"
        "               t.took_buckets, t.took_counts, excluded.took_buckets, excluded.took_counts) s)\n",
    ),
]  # fmt: skip
FUNCTION = "youtility_tasks_add_attempts_v1"
# Counting a million waiting jobs takes longer than the second that a scrape has, where much else is done, and then it would say that the
# database is silent. Once counting takes long the exporter reads what upkeep has counted: of a minute ago at the most, or, where it takes
# very long, whenever that was, as nobody counts where nobody works.
PRESENT = "youtility_tasks_export_present_v1"
GLANCE = [
    (
        "    WITH queues AS MATERIALIZED (\n",
        "    WITH counted AS MATERIALIZED (\n"
        "        SELECT EXISTS (SELECT FROM youtility_tasks_snapshotmark m\n"
        "                        WHERE m.took_ms > 500 OR (m.took_ms > 100 AND m.taken_at > clock_timestamp() - interval ''1 minute'')) AS serves\n"
        "    ), queues AS MATERIALIZED (\n",
    ),
    (
        "THEN s.queue_name ELSE ''other'' END AS queue_name,",
        "THEN s.queue_name::text ELSE ''other'' END AS queue_name,",
    ),
    (
        "max(s.oldest_seconds) AS oldest_seconds\n          FROM get_queue_statistics() s",
        "greatest(0, extract(epoch FROM clock_timestamp() - min(s.oldest_at)))::double precision AS oldest_seconds\n"
        "          FROM (SELECT n.queue_name, n.todo, n.doing, n.scheduled, n.failed, n.oldest_at FROM youtility_tasks_counted_v1(NULL) n\n"
        "                 WHERE NOT (SELECT counted.serves FROM counted)\n"
        "                UNION ALL\n"
        "                SELECT n.queue_name, n.todo, n.doing, n.scheduled, n.failed, n.oldest_at FROM youtility_tasks_queuesnapshot n\n"
        "                 WHERE (SELECT counted.serves FROM counted)) s",
    ),
]


class Migration(migrations.Migration):
    """The totals know how long after it was due a job ended, retries included: what a queue promises. The exporter reads how many jobs wait
    from what upkeep has counted, once counting takes long.

    Lock: folding of ended attempts waits for a moment. Workers and exporters of the release before may run. With the setting `roles` run
    `setup_task_queue` afterwards. Reverse: drops the columns; no other number is touched.
    """

    dependencies = [("youtility_tasks", "0047_console_days")]
    operations = [
        migrations.AddField("metricstotal", "took_buckets", ArrayField(models.SmallIntegerField(), default=list)),
        migrations.AddField("metricstotal", "took_counts", ArrayField(models.BigIntegerField(), default=list)),
        migrations.RunSQL(
            reworded(FUNCTION, CHANGES), reworded(FUNCTION, [(becomes, was) for was, becomes in reversed(CHANGES)])
        ),
        migrations.RunSQL(
            reworded(PRESENT, GLANCE), reworded(PRESENT, [(becomes, was) for was, becomes in reversed(GLANCE)])
        ),
        migrations.RunSQL(frozen("0049_ended_in_time.sql"), "DROP FUNCTION youtility_tasks_export_totals_v2()"),
    ]
