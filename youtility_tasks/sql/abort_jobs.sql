SELECT a.job_id, a.task_name, a.queue_name, a.tenant_id FROM youtility_tasks_abort_v1(%(job_ids)s::bigint[], %(tenant_id)s::integer) a
