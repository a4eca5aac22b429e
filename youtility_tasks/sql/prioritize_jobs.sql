SELECT p.job_id, p.task_name, p.queue_name, p.tenant_id FROM youtility_tasks_prioritize_v1(%(job_ids)s::bigint[], %(stored)s, %(tenant_id)s::integer) p
