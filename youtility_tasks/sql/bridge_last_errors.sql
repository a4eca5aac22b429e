-- Of each task the last run of Celery's, or of a shadow, that raised, in the last day.
SELECT t.task_name, e.side, e.error_class, e.finished_at
  FROM unnest(%(task_names)s::text[]) t(task_name)
 CROSS JOIN LATERAL (
        SELECT r.side, r.error_class, r.finished_at FROM youtility_tasks_bridgerun r
         WHERE r.task_name = t.task_name AND r.error_class <> '' AND r.finished_at >= clock_timestamp() - interval '1 day'
         ORDER BY r.finished_at DESC LIMIT 1) e
