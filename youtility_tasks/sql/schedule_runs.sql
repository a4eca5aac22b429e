-- The last occurrences of some schedules, oldest first, and what became of their jobs. A job that has left the queue is looked for in the two
-- days behind its tick: each day is a partition, and a page asks for many jobs.
SELECT s.id, r.tick_at, r.outcome, r.reason, r.job_id, coalesce(j.status::text, h.status::text), r.tick_count
  FROM youtility_tasks_scheduledtask s
 CROSS JOIN LATERAL (
        SELECT o.tick_at, o.outcome, o.reason, o.job_id, o.decided_at, o.tick_count FROM youtility_tasks_scheduledtaskexecution o
         WHERE o.tenant_id = s.tenant_id AND o.schedule_id = s.id ORDER BY o.tick_at DESC LIMIT %(most)s) r
  LEFT JOIN procrastinate_jobs j ON j.id = r.job_id
  LEFT JOIN LATERAL (
        SELECT a.status FROM youtility_tasks_history a
         WHERE j.id IS NULL AND a.job_id = r.job_id AND a.is_final
           AND a.finished_at >= r.decided_at AND a.finished_at < r.decided_at + interval '2 days'
         ORDER BY a.finished_at DESC LIMIT 1) h ON true
 WHERE s.id = ANY (%(schedule_ids)s::bigint[])
 ORDER BY s.id, r.tick_at
