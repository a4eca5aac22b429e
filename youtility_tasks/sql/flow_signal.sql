SELECT youtility_tasks_flow_signal_v1(%(workflow_id)s::bigint, %(name)s, %(payload)s::jsonb, %(sent_by)s, %(tenant_id)s::integer)
