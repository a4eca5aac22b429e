-- How Celery's side did, by task; a run of a message that was delivered twice counts once. Waits are of first attempts alone.
WITH run AS (
    SELECT DISTINCT ON (r.task_name, r.tenant_id, r.celery_id, r.attempt) r.task_name, r.outcome, r.attempt, r.wait_ms, r.run_ms
      FROM youtility_tasks_bridgerun r
     WHERE r.side = 'celery' AND r.task_name = ANY (%(task_names)s::text[]) AND r.finished_at >= %(since)s::timestamptz
     ORDER BY r.task_name, r.tenant_id, r.celery_id, r.attempt, r.id
)
SELECT task_name, count(*) FILTER (WHERE outcome = 'succeeded'), count(*) FILTER (WHERE outcome = 'failed'),
       count(*) FILTER (WHERE outcome = 'retry'), count(*) FILTER (WHERE outcome = 'cancelled'),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY wait_ms) FILTER (WHERE attempt = 1),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY wait_ms) FILTER (WHERE attempt = 1),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY run_ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY run_ms)
  FROM run GROUP BY task_name
