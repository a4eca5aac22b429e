-- Keys that were not in the ledger before; they are done with the rows of the caller's transaction.
INSERT INTO youtility_tasks_taskeffect (tenant_id, key, task_name, bu_id, status, job_id, note, done_at)
SELECT %(tenant_id)s, k, %(task_name)s, bu_id, 'done', %(job_id)s, '', clock_timestamp()
  FROM unnest(%(keys)s::text[], %(bu_ids)s::bigint[]) AS wanted (k, bu_id) ORDER BY k
ON CONFLICT (tenant_id, key) DO NOTHING
RETURNING key
