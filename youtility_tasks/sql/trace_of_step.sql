-- The trace of a step's run, and the last attempts of the jobs of the steps that it waited for. An item of a fan-out has waited for what
-- its fan-out did. A hundred of them at most: links, not a list.
SELECT w.trace, b.job_id, b.attempt
  FROM youtility_tasks_workflowstep s
  JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
  LEFT JOIN LATERAL (
    SELECT h.job_id, h.attempt
      FROM youtility_tasks_taskdependency d
      JOIN youtility_tasks_workflowstep p ON p.id = d.parent_id
      JOIN youtility_tasks_history h ON h.job_id = p.job_id AND h.is_final AND h.finished_at >= p.released_at
     WHERE d.tenant_id = s.tenant_id AND d.workflow_id = s.workflow_id AND d.child_id = coalesce(s.group_id, s.id)
     ORDER BY h.job_id LIMIT 100) b ON true
 WHERE s.id = %(step_id)s
