SELECT e.n, e.id, e.enqueued_at, e.is_written, e.tenant_is_known, e.is_replaced
  FROM youtility_tasks_enqueue_unique_v1(%(calls)s::jsonb, %(noted)s, %(token)s) e
 ORDER BY e.n
