-- The outbox: the effects will happen after this transaction, by this run or a later one.
INSERT INTO youtility_tasks_taskeffect (tenant_id, key, task_name, bu_id, status, job_id, payload, note)
SELECT %(tenant_id)s, k, %(task_name)s, bu_id, 'pending', %(job_id)s, payload::jsonb, ''
  FROM unnest(%(keys)s::text[], %(payloads)s::text[], %(bu_ids)s::bigint[]) AS wanted (k, payload, bu_id) ORDER BY k
ON CONFLICT (tenant_id, key) DO NOTHING
RETURNING key
