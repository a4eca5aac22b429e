-- Every control with what runs under it now, the starts that its rate has left, and whether it is shut. What runs is counted
-- among the running jobs alone: an index has just these.
SELECT c.id, c.queue_name, c.task_name, c.tenant_id, c.max_running, c.rate_per_s, c.burst, p.is_shut, c.paused_until, c.paused_at,
       c.paused_by, c.reason, c.changed_at, c.changed_by,
       (SELECT count(*) FROM procrastinate_jobs j
         WHERE j.status = 'doing' AND (c.queue_name = '' OR j.queue_name = c.queue_name)
           AND (c.task_name = '' OR j.task_name = c.task_name) AND (c.tenant_id IS NULL OR j.tenant_id = c.tenant_id)),
       (SELECT k.tokens FROM youtility_tasks_controls_v1(c.queue_name, clock_timestamp()) k WHERE k.id = c.id)
  FROM youtility_tasks_queuecontrol c
 CROSS JOIN LATERAL (SELECT c.is_paused AND (c.paused_until IS NULL OR c.paused_until > clock_timestamp()) AS is_shut) p
 WHERE (%(id)s::integer IS NULL OR c.id = %(id)s::integer) AND (%(tenant_id)s::integer IS NULL OR c.tenant_id = %(tenant_id)s::integer)
 ORDER BY c.queue_name, c.task_name, c.tenant_id NULLS FIRST
