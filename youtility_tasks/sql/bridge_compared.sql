-- How Celery's side did, and each shadow beside the first run that Celery made of the same call: a line for each task, from `since` (NULL: the last
-- span_s) until now. A run of a message that was delivered twice counts once; waits are of first attempts alone; what a shadow kept back makes
-- its pair no comparison.
WITH span AS (
    SELECT statement_timestamp() AS until, coalesce(%(since)s::timestamptz, statement_timestamp() - %(span_s)s * interval '1 s') AS since
), run AS (
    SELECT DISTINCT ON (r.task_name, r.tenant_id, r.celery_id, r.attempt) r.task_name, r.outcome, r.attempt, r.wait_ms, r.run_ms
      FROM youtility_tasks_bridgerun r
     WHERE r.side = 'celery' AND r.task_name = ANY (%(task_names)s::text[]) AND r.finished_at >= (SELECT s.since FROM span s)
     ORDER BY r.task_name, r.tenant_id, r.celery_id, r.attempt, r.id
), there AS (
    SELECT task_name, count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded, count(*) FILTER (WHERE outcome = 'failed') AS failed,
           count(*) FILTER (WHERE outcome = 'retry') AS retried, count(*) FILTER (WHERE outcome = 'cancelled') AS cancelled,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_ms) FILTER (WHERE attempt = 1) AS wait_p50_ms,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY wait_ms) FILTER (WHERE attempt = 1) AS wait_p95_ms,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY run_ms) AS run_p50_ms, percentile_cont(0.95) WITHIN GROUP (ORDER BY run_ms) AS run_p95_ms
      FROM run GROUP BY task_name
), pair AS (
    SELECT s.task_name, s.finished_at, s.run_ms, c.id IS NOT NULL AS is_whole, c.id IS NOT NULL AND s.kept_back = '' AS is_compared,
           s.outcome <> (CASE c.outcome WHEN 'retry' THEN 'failed' ELSE c.outcome END) AS outcome_differs,
           s.outcome = 'succeeded' AND c.outcome = 'succeeded' AND s.digest <> c.digest AS result_differs
      FROM youtility_tasks_bridgerun s
      LEFT JOIN LATERAL (
            SELECT r.id, r.outcome, r.digest FROM youtility_tasks_bridgerun r
             WHERE r.tenant_id = s.tenant_id AND r.celery_id = s.celery_id AND r.side = 'celery' AND r.attempt = 1 ORDER BY r.id LIMIT 1) c ON true
     WHERE s.side = 'shadow' AND s.task_name = ANY (%(task_names)s::text[]) AND s.finished_at >= (SELECT x.since FROM span x)
), beside AS (
    SELECT task_name, count(*) FILTER (WHERE is_whole) AS whole,
           count(*) FILTER (WHERE NOT is_whole AND finished_at < statement_timestamp() - %(grace_s)s * interval '1 s') AS odd,
           count(*) FILTER (WHERE is_compared) AS compared, count(*) FILTER (WHERE is_compared AND outcome_differs) AS outcomes_differ,
           count(*) FILTER (WHERE is_compared AND result_differs) AS results_differ, percentile_cont(0.95) WITHIN GROUP (ORDER BY run_ms) AS run_p95_ms
      FROM pair GROUP BY task_name
)
SELECT s.since, s.until, n.task_name, coalesce(t.succeeded, 0), coalesce(t.failed, 0), coalesce(t.retried, 0), coalesce(t.cancelled, 0),
       t.wait_p50_ms, t.wait_p95_ms, t.run_p50_ms, t.run_p95_ms,
       coalesce(b.whole, 0), coalesce(b.odd, 0), coalesce(b.compared, 0), coalesce(b.outcomes_differ, 0), coalesce(b.results_differ, 0), b.run_p95_ms
  FROM span s CROSS JOIN unnest(%(task_names)s::text[]) AS n(task_name)
  LEFT JOIN there t USING (task_name) LEFT JOIN beside b USING (task_name)
 ORDER BY n.task_name
