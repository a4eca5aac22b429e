-- The newest pairs of one task that differ, without contents.
SELECT s.celery_id, s.tenant_id, c.outcome, s.outcome, c.error_class, s.error_class, s.finished_at
  FROM youtility_tasks_bridgerun s
 CROSS JOIN LATERAL (
        SELECT r.outcome, r.digest, r.error_class FROM youtility_tasks_bridgerun r
         WHERE r.tenant_id = s.tenant_id AND r.celery_id = s.celery_id AND r.side = 'celery' AND r.attempt = 1 ORDER BY r.id LIMIT 1) c
 WHERE s.side = 'shadow' AND s.task_name = %(task_name)s AND s.finished_at >= %(since)s::timestamptz AND s.kept_back = ''
   AND (s.outcome <> (CASE c.outcome WHEN 'retry' THEN 'failed' ELSE c.outcome END)
        OR (s.outcome = 'succeeded' AND c.outcome = 'succeeded' AND s.digest <> c.digest))
 ORDER BY s.finished_at DESC LIMIT %(most)s::integer
