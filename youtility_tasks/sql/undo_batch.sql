SELECT u.job_id, u.task_name, u.queue_name, u.tenant_id, u.refused FROM youtility_tasks_operation_undo_v1(%(batch_id)s, %(tenant_id)s::integer) u
