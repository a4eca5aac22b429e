-- The call is ours from here on. No row: it was already, and its job is there, or was.
INSERT INTO youtility_tasks_bridgecall AS c (tenant_id, celery_id, task_name, side, step)
VALUES (%(tenant_id)s, %(celery_id)s, %(task_name)s, 'postgres', '')
    ON CONFLICT (tenant_id, celery_id) DO UPDATE SET side = 'postgres', job_id = NULL WHERE c.side <> 'postgres'
RETURNING c.id
