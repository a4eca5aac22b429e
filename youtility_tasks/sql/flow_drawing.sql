-- All steps of a run and of the workflows inside it, in the order in which they were written, and how the job of one whose turn has come stands.
SELECT s.id, s.workflow_id, w.parent_step_id, s.name, s.kind, s.status, s.task_name, s.job_id, s.needs_all, s.open_items, s.failed_items,
       s.error_class, s.released_at, s.ended_at, s.timeout_at, s.wait_s, j.status::text, j.scheduled_at
  FROM youtility_tasks_taskworkflow w
  JOIN youtility_tasks_workflowstep s ON s.tenant_id = w.tenant_id AND s.workflow_id = w.id AND s.group_id IS NULL
  LEFT JOIN procrastinate_jobs j ON j.id = s.job_id AND s.status = 'todo'
 WHERE w.root_id = %(root_id)s
 ORDER BY s.id
 LIMIT %(most)s
