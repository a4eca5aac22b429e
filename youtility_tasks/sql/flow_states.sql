-- How a run stands, and what has moved in it since an instant: steps that have been released or have ended since, and those whose turn it is.
SELECT (SELECT r.status FROM youtility_tasks_taskworkflow r WHERE r.id = %(run_id)s), s.id, s.kind, s.status, j.status::text, s.open_items, s.failed_items, clock_timestamp()
  FROM youtility_tasks_taskworkflow w
  JOIN youtility_tasks_workflowstep s ON s.tenant_id = w.tenant_id AND s.workflow_id = w.id AND s.group_id IS NULL
  LEFT JOIN procrastinate_jobs j ON j.id = s.job_id AND s.status = 'todo'
 WHERE w.root_id = %(root_id)s
   AND (s.status = 'todo' OR s.ended_at >= %(since)s::timestamptz OR s.released_at >= %(since)s::timestamptz)
 ORDER BY s.id
 LIMIT %(most)s
