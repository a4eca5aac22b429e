-- The last occurrences of some schedules, oldest first, and what became of their jobs. Each that has left the queue is looked for by its id in
-- the days where it may have ended, up to three from its tick: days are partitions, and the others are left out as it runs. An aggregate, not
-- ORDER BY and LIMIT, for which the planner reads a day by time; and the upper bound as an array, for it takes two plain bounds for so few rows
-- that it reads the tenant's day by time again.
WITH ran AS MATERIALIZED (
    SELECT s.id, r.tick_at, r.outcome, r.reason, r.job_id, r.decided_at, r.tick_count, j.status::text AS status
      FROM youtility_tasks_scheduledtask s
     CROSS JOIN LATERAL (
            SELECT o.tick_at, o.outcome, o.reason, o.job_id, o.decided_at, o.tick_count FROM youtility_tasks_scheduledtaskexecution o
             WHERE o.tenant_id = s.tenant_id AND o.schedule_id = s.id ORDER BY o.tick_at DESC LIMIT %(most)s) r
      LEFT JOIN procrastinate_jobs j ON j.id = r.job_id
     WHERE s.id = ANY (%(schedule_ids)s::bigint[])
)
SELECT r.id, r.tick_at, r.outcome, r.reason, r.job_id,
       coalesce(r.status, e.status), r.tick_count
  FROM ran r
  LEFT JOIN LATERAL (
        SELECT (array_agg(a.status::text ORDER BY a.finished_at DESC))[1] AS status FROM youtility_tasks_history a
         WHERE r.status IS NULL AND a.job_id = r.job_id AND a.is_final
           AND a.finished_at >= r.decided_at AND a.finished_at < ANY (ARRAY[r.decided_at + interval '3 days'])) e ON true
 ORDER BY r.id, r.tick_at
