-- What a job carries of the trace that it was enqueued under, or the run whose step it is, and when that was.
SELECT coalesce(j.trace, w.trace), extract(epoch FROM j.enqueued_at)::float8
  FROM procrastinate_jobs j
  LEFT JOIN youtility_tasks_workflowstep s ON s.id = j.step_id
  LEFT JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
 WHERE j.id = %(job_id)s
