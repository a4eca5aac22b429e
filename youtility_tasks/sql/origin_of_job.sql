-- What made a job: a step of a workflow, or a tick of a schedule.
SELECT 'workflow', w.id::text, w.name, s.name, NULL::timestamptz
  FROM youtility_tasks_workflowstep s
  JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
 WHERE s.job_id = %(job_id)s
UNION ALL
SELECT 'schedule', d.id::text, d.name, '', e.tick_at
  FROM youtility_tasks_scheduledtaskexecution e
  JOIN youtility_tasks_scheduledtask d ON d.id = e.schedule_id
 WHERE e.job_id = %(job_id)s
