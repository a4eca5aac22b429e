-- Each shadow beside the first run that Celery made of the same call, by task. What a shadow kept back makes its pair no comparison.
WITH pair AS (
    SELECT s.task_name, s.finished_at, s.run_ms, c.id IS NOT NULL AS is_whole, c.id IS NOT NULL AND s.kept_back = '' AS is_compared,
           s.outcome <> (CASE c.outcome WHEN 'retry' THEN 'failed' ELSE c.outcome END) AS outcome_differs,
           s.outcome = 'succeeded' AND c.outcome = 'succeeded' AND s.digest <> c.digest AS result_differs
      FROM youtility_tasks_bridgerun s
      LEFT JOIN LATERAL (
            SELECT r.id, r.outcome, r.digest FROM youtility_tasks_bridgerun r
             WHERE r.tenant_id = s.tenant_id AND r.celery_id = s.celery_id AND r.side = 'celery' AND r.attempt = 1 ORDER BY r.id LIMIT 1) c ON true
     WHERE s.side = 'shadow' AND s.task_name = ANY (%(task_names)s::text[]) AND s.finished_at >= %(since)s::timestamptz
)
SELECT task_name, count(*) FILTER (WHERE is_whole), count(*) FILTER (WHERE NOT is_whole AND finished_at < clock_timestamp() - %(grace_s)s * interval '1 s'),
       count(*) FILTER (WHERE is_compared), count(*) FILTER (WHERE is_compared AND outcome_differs),
       count(*) FILTER (WHERE is_compared AND result_differs), percentile_cont(0.95) WITHIN GROUP (ORDER BY run_ms)
  FROM pair GROUP BY task_name
