SELECT r.job_id, r.task_name, r.queue_name, r.tenant_id FROM youtility_tasks_retry_v1(%(job_ids)s::bigint[], %(tenant_id)s::integer) r
