-- The last occurrences of some schedules, oldest first, and what became of their jobs. Those that have left the queue are looked for all at
-- once, from the first tick to two days behind the last: each day is a partition, and one by one each job would open them all.
WITH ran AS MATERIALIZED (
    SELECT s.id, r.tick_at, r.outcome, r.reason, r.job_id, r.decided_at, r.tick_count, j.status::text AS status
      FROM youtility_tasks_scheduledtask s
     CROSS JOIN LATERAL (
            SELECT o.tick_at, o.outcome, o.reason, o.job_id, o.decided_at, o.tick_count FROM youtility_tasks_scheduledtaskexecution o
             WHERE o.tenant_id = s.tenant_id AND o.schedule_id = s.id ORDER BY o.tick_at DESC LIMIT %(most)s) r
      LEFT JOIN procrastinate_jobs j ON j.id = r.job_id
     WHERE s.id = ANY (%(schedule_ids)s::bigint[])
), last AS MATERIALIZED (
    SELECT DISTINCT ON (a.job_id) a.job_id, a.status::text, a.finished_at FROM youtility_tasks_history a
     WHERE a.job_id = ANY (ARRAY(SELECT r.job_id FROM ran r WHERE r.status IS NULL AND r.job_id IS NOT NULL)) AND a.is_final
       AND a.finished_at >= (SELECT min(r.decided_at) FROM ran r) AND a.finished_at < (SELECT max(r.decided_at) FROM ran r) + interval '2 days'
     ORDER BY a.job_id, a.finished_at DESC
)
SELECT r.id, r.tick_at, r.outcome, r.reason, r.job_id,
       coalesce(r.status, e.status), r.tick_count
  FROM ran r
  LEFT JOIN last e ON e.job_id = r.job_id AND e.finished_at >= r.decided_at
 ORDER BY r.id, r.tick_at
