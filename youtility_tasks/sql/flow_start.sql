SELECT f.workflow_id, f.is_new, f.tenant_is_known
  FROM youtility_tasks_flow_start_v1(%(flow)s::jsonb, %(tenant_id)s::integer, %(noted)s) f
