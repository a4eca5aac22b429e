-- The last failure of each of these tasks among its last attempts of a day: an attempt that failed, whether or not another followed.
SELECT t.task_name, e.job_id, e.error_class, e.finished_at
  FROM unnest(%(task_names)s::text[]) t(task_name)
 CROSS JOIN LATERAL (
        SELECT r.job_id, r.error_class, r.finished_at FROM (
            SELECT h.job_id, h.error_class, h.finished_at, h.status FROM youtility_tasks_history h
             WHERE h.task_name = t.task_name AND h.finished_at >= clock_timestamp() - interval '1 day'
               AND (%(tenant_id)s::integer IS NULL OR h.tenant_id = %(tenant_id)s::integer)
             ORDER BY h.finished_at DESC LIMIT 500) r
         WHERE r.status = 'failed' ORDER BY r.finished_at DESC LIMIT 1) e
