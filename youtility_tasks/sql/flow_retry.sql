SELECT r.status, r.again FROM youtility_tasks_flow_retry_v1(%(workflow_id)s::bigint, %(mode)s, %(tenant_id)s::integer) r
