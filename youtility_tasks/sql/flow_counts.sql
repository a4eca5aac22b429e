-- How many steps of each run stand how, items of fan-outs left out; of a run with more steps than these the first ones.
SELECT w.id, s.status, count(*)
  FROM unnest(%(workflow_ids)s::bigint[]) x
  JOIN youtility_tasks_taskworkflow w ON w.id = x
 CROSS JOIN LATERAL (
        SELECT t.status FROM youtility_tasks_workflowstep t
         WHERE t.tenant_id = w.tenant_id AND t.workflow_id = w.id AND t.group_id IS NULL LIMIT %(most)s) s
 GROUP BY w.id, s.status
