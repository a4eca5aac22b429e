-- What a person should look at, that no count of a queue shows: one row a thing, with how many and since when.
-- Of dead letters by the time of the statement: the clock of each row serves no index.
SELECT 'paused', c.id::text, 1::bigint, coalesce(c.paused_at, c.changed_at),
       jsonb_build_object('queue', nullif(c.queue_name, ''), 'task', nullif(c.task_name, ''), 'tenant', c.tenant_id,
                          'by', c.paused_by, 'reason', c.reason, 'until', c.paused_until)
  FROM youtility_tasks_queuecontrol c
 WHERE c.is_paused AND (c.paused_until IS NULL OR c.paused_until > clock_timestamp())
   AND (%(tenant_id)s::integer IS NULL OR c.tenant_id = %(tenant_id)s::integer)
UNION ALL
SELECT 'late', min(s.name), count(*), min(s.next_at), jsonb_build_object('schedule', min(s.id))
  FROM youtility_tasks_scheduledtask s
  LEFT JOIN youtility_tasks_tenant t ON t.id = s.tenant_id
 WHERE s.removed_at IS NULL AND s.next_at < clock_timestamp() - %(late_s)s * interval '1 second' AND t.is_active IS NOT FALSE
   AND (%(tenant_id)s::integer IS NULL OR s.tenant_id = %(tenant_id)s::integer)
HAVING count(*) > 0
UNION ALL
SELECT 'overdue', min(w.name), count(*), min(w.deadline_at), jsonb_build_object('workflow', min(w.id::text))
  FROM youtility_tasks_taskworkflow w
 WHERE w.status = 'running' AND w.deadline_at < clock_timestamp()
   AND (%(tenant_id)s::integer IS NULL OR w.tenant_id = %(tenant_id)s::integer)
HAVING count(*) > 0
UNION ALL
(SELECT 'failing', j.task_name, count(*), min(j.failed_at), jsonb_build_object('queue', min(j.queue_name), 'fingerprint', min(j.fingerprint),
        'kinds', count(DISTINCT j.fingerprint), 'last', max(j.failed_at))
  FROM procrastinate_jobs j
 WHERE j.status = 'failed' AND j.failed_at > statement_timestamp() - %(lately_s)s * interval '1 second'
   AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
 GROUP BY j.task_name
 ORDER BY count(*) DESC
 LIMIT 5)
