-- Items of fan-outs as a page shows them: all of small ones, of large ones those that failed.
SELECT s.group_id, s.id, s.name, s.status, s.job_id, s.error_class, s.released_at, s.ended_at, j.status::text, j.scheduled_at
  FROM youtility_tasks_workflowstep s
  LEFT JOIN procrastinate_jobs j ON j.id = s.job_id AND s.status = 'todo'
 WHERE s.group_id = ANY (%(small)s::bigint[])
    OR (s.group_id = ANY (%(large)s::bigint[]) AND s.status IN ('failed', 'aborted', 'cancelled'))
 ORDER BY s.group_id, s.item_index
 LIMIT %(most)s
