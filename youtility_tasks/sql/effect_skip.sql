INSERT INTO youtility_tasks_taskeffect AS e (tenant_id, key, task_name, bu_id, status, job_id, note, done_at)
VALUES (%(tenant_id)s, %(key)s, %(task_name)s, NULL, 'done', %(job_id)s, %(note)s, clock_timestamp())
ON CONFLICT (tenant_id, key) DO UPDATE
   SET status = 'done', done_at = clock_timestamp(), lease_until = NULL, note = excluded.note WHERE e.status <> 'done'
