-- What a person should look at, that no count of a queue shows: one row a thing, with how many and since when.
-- Of dead letters by the time of the statement: the clock of each row serves no index. An error is that of the newest of them: another
-- job of the task may have met another. What is tried again is counted among the newest
-- 10,000 that wait for another attempt, and only where it is no exception; 'full' is no trouble by itself, but why
-- something may wait, and 'now' the clock by which the rest is read.
SELECT 'now', '', 0::bigint, clock_timestamp(), '{}'::jsonb
UNION ALL
SELECT 'paused', c.id::text, 1::bigint, coalesce(c.paused_at, c.changed_at),
       jsonb_build_object('queue', nullif(c.queue_name, ''), 'task', nullif(c.task_name, ''), 'tenant', c.tenant_id,
                          'by', c.paused_by, 'reason', c.reason, 'until', c.paused_until)
  FROM youtility_tasks_queuecontrol c
 WHERE c.is_paused AND (c.paused_until IS NULL OR c.paused_until > clock_timestamp())
   AND (%(tenant_id)s::integer IS NULL OR coalesce(c.tenant_id, %(tenant_id)s::integer) = %(tenant_id)s::integer)
UNION ALL
SELECT 'full', c.id::text, r.running, c.changed_at,
       jsonb_build_object('queue', nullif(c.queue_name, ''), 'task', nullif(c.task_name, ''), 'tenant', c.tenant_id, 'most', c.max_running)
  FROM youtility_tasks_queuecontrol c
 CROSS JOIN LATERAL (SELECT count(*) AS running FROM procrastinate_jobs j
         WHERE j.status = 'doing' AND (c.queue_name = '' OR j.queue_name = c.queue_name)
           AND (c.task_name = '' OR j.task_name = c.task_name) AND (c.tenant_id IS NULL OR j.tenant_id = c.tenant_id)) r
 WHERE c.max_running <= r.running AND (%(tenant_id)s::integer IS NULL OR c.tenant_id = %(tenant_id)s::integer)
UNION ALL
SELECT 'stopped', (array_agg(s.name ORDER BY s.paused_at))[1], count(*), min(s.paused_at),
       jsonb_build_object('schedule', (array_agg(s.id ORDER BY s.paused_at))[1], 'by', (array_agg(s.paused_by ORDER BY s.paused_at))[1],
                          'reason', (array_agg(s.pause_reason ORDER BY s.paused_at))[1], 'tenant', (array_agg(s.tenant_id ORDER BY s.paused_at))[1])
  FROM youtility_tasks_scheduledtask s
  LEFT JOIN youtility_tasks_tenant t ON t.id = s.tenant_id
 WHERE s.removed_at IS NULL AND s.is_paused AND s.paused_until IS NULL AND t.is_active IS NOT FALSE
   AND (%(tenant_id)s::integer IS NULL OR s.tenant_id = %(tenant_id)s::integer)
HAVING count(*) > 0
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
        'tenants', count(DISTINCT j.tenant_id), 'tenant', min(j.tenant_id), 'kinds', count(DISTINCT j.fingerprint), 'last', max(j.failed_at),
        'error', (SELECT h.error_class FROM youtility_tasks_history h
                   WHERE h.job_id = max(j.id) AND h.status = 'failed' AND h.finished_at >= statement_timestamp() - interval '1 day'
                   ORDER BY h.finished_at DESC LIMIT 1))
  FROM procrastinate_jobs j
 WHERE j.status = 'failed' AND j.failed_at > statement_timestamp() - %(lately_s)s * interval '1 second'
   AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
 GROUP BY j.task_name
 ORDER BY count(*) DESC
 LIMIT 5)
UNION ALL
(SELECT 'retrying', j.task_name, count(*), min(j.enqueued_at), jsonb_build_object('queue', min(j.queue_name),
        'tenants', count(DISTINCT j.tenant_id), 'tenant', min(j.tenant_id), 'next', min(j.scheduled_at),
        'age_s', extract(epoch FROM statement_timestamp() - min(j.enqueued_at)),
        'error', (SELECT h.error_class FROM youtility_tasks_history h
                   WHERE h.job_id = max(j.id) AND h.status = 'failed' AND h.finished_at >= statement_timestamp() - interval '1 day'
                   ORDER BY h.finished_at DESC LIMIT 1))
  FROM (SELECT a.id, a.task_name, a.queue_name, a.tenant_id, a.enqueued_at, a.scheduled_at, a.attempts FROM procrastinate_jobs a
         WHERE a.status = 'todo' AND a.claim_number > 0 AND (%(tenant_id)s::integer IS NULL OR a.tenant_id = %(tenant_id)s::integer)
         ORDER BY a.id DESC LIMIT 10000) j
 WHERE j.attempts > 0 AND j.scheduled_at > statement_timestamp()
 GROUP BY j.task_name
HAVING count(*) >= %(many)s
 ORDER BY count(*) DESC
 LIMIT 3)
