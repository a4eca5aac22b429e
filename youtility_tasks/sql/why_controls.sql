-- The controls that concern a job and have no room now, or under which it is parked; how many of it run, until when it is shut,
-- and how many jobs are parked under it before this one (counted up to `most`).
SELECT c.id, c.queue_name, c.task_name, c.tenant_id, c.max_running, c.rate_per_s, p.is_shut, c.paused_until, c.paused_at, c.paused_by,
       c.reason, k.opens_in, k.room,
       (SELECT count(*) FROM procrastinate_jobs j
         WHERE j.status = 'doing' AND (c.queue_name = '' OR j.queue_name = c.queue_name)
           AND (c.task_name = '' OR j.task_name = c.task_name) AND (c.tenant_id IS NULL OR j.tenant_id = c.tenant_id)),
       youtility_tasks_parked_before_v1(%(queue_name)s, c.id, %(priority)s, %(tenant_id)s, %(job_id)s, %(most)s)
  FROM youtility_tasks_controls_v1(%(queue_name)s, clock_timestamp()) k
  JOIN youtility_tasks_queuecontrol c ON c.id = k.id
 CROSS JOIN LATERAL (SELECT c.is_paused AND (c.paused_until IS NULL OR c.paused_until > clock_timestamp()) AS is_shut) p
 WHERE c.task_name IN ('', %(task_name)s) AND coalesce(c.tenant_id, %(tenant_id)s) = %(tenant_id)s
   AND (k.room <= 0 OR c.id = %(parked_by)s AND (c.max_running IS NOT NULL OR c.rate_per_s IS NOT NULL))
 ORDER BY p.is_shut DESC, k.room <= 0 DESC, c.max_running IS NULL, c.id
