-- Ended attempts of the last seconds: one row over all, one a queue, one a task. Cancelled jobs never ran and are left out.
SELECT h.queue_name, h.task_name, count(*),
       count(*) FILTER (WHERE h.status = 'succeeded'),
       count(*) FILTER (WHERE h.status = 'failed' AND NOT h.is_final),
       count(*) FILTER (WHERE h.status = 'failed' AND h.is_final),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY h.wait_ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY h.wait_ms),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY h.run_ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY h.run_ms)
  FROM youtility_tasks_history h
 WHERE h.finished_at >= clock_timestamp() - %(seconds)s * interval '1 second' AND h.outcome <> 'cancelled'
   AND (%(tenant_id)s::integer IS NULL OR h.tenant_id = %(tenant_id)s::integer)
   AND (%(task_names)s::text[] IS NULL OR h.task_name = ANY (%(task_names)s::text[]))
 GROUP BY GROUPING SETS ((), (h.queue_name), (h.queue_name, h.task_name))
 ORDER BY h.queue_name NULLS FIRST, h.task_name NULLS FIRST
