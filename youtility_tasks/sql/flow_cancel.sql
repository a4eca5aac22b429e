SELECT c.status, c.cancelled, c.aborting, c.missed
  FROM youtility_tasks_flow_cancel_v1(%(workflow_id)s::bigint, %(reason)s, %(tenant_id)s::integer) c
