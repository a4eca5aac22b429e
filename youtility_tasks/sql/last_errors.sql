-- The last failure of each of these tasks within a day: an attempt that failed, whether or not another followed. Failures have an index.
SELECT t.task_name, e.job_id, e.error_class, e.finished_at
  FROM unnest(%(task_names)s::text[]) t(task_name)
 CROSS JOIN LATERAL (
        SELECT h.job_id, h.error_class, h.finished_at FROM youtility_tasks_history h
         WHERE h.task_name = t.task_name AND h.status = 'failed' AND h.finished_at >= statement_timestamp() - interval '1 day'
           AND (%(tenant_id)s::integer IS NULL OR h.tenant_id = %(tenant_id)s::integer)
         ORDER BY h.finished_at DESC LIMIT 1) e
