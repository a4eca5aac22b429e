-- The outbox: the effect will happen after this transaction, by this run or a later one.
INSERT INTO youtility_tasks_taskeffect (tenant_id, key, task_name, bu_id, status, job_id, payload, note)
VALUES (%(tenant_id)s, %(key)s, %(task_name)s, %(bu_id)s, 'pending', %(job_id)s, %(payload)s::jsonb, '')
ON CONFLICT (tenant_id, key) DO NOTHING
RETURNING key
