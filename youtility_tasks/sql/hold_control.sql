-- The row of a control, made if it is not there, locked until the transaction ends. Claims that count its tokens wait for it.
INSERT INTO youtility_tasks_queuecontrol AS c (queue_name, task_name, tenant_id, burst, is_paused, reason, changed_by, paused_by)
VALUES (%(queue_name)s, %(task_name)s, %(tenant_id)s::integer, 1, false, '', '', '')
ON CONFLICT (queue_name, task_name, tenant_id) DO UPDATE SET queue_name = EXCLUDED.queue_name
RETURNING c.id, c.xmax = 0
