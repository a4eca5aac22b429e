SELECT youtility_tasks_operation_batch_v1(%(operation_id)s, %(job_ids)s::bigint[], %(status)s, %(keeps)s, %(tenant_id)s::integer)
