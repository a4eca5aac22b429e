-- Of each fan-out of a run how many items stand how; 'doing' is one whose job runs.
SELECT s.group_id, CASE WHEN j.status = 'doing' THEN 'doing' ELSE s.status END, count(*)
  FROM youtility_tasks_taskworkflow w
  JOIN youtility_tasks_workflowstep s ON s.tenant_id = w.tenant_id AND s.workflow_id = w.id AND s.group_id IS NOT NULL
  LEFT JOIN procrastinate_jobs j ON j.id = s.job_id AND s.status = 'todo'
 WHERE w.root_id = %(root_id)s
 GROUP BY 1, 2
