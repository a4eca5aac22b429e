SELECT f.workflow_id, f.is_new, f.tenant_is_known
  FROM unnest(%(flows)s::text[]) WITH ORDINALITY AS u(flow, n)
 CROSS JOIN LATERAL youtility_tasks_flow_start_v1(u.flow::jsonb, %(tenant_id)s::integer, %(noted)s) f
 ORDER BY u.n
