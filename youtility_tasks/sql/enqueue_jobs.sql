SELECT e.n, e.id, e.enqueued_at, e.is_written, e.tenant_is_known
  FROM youtility_tasks_enqueue_v1(
         %(queue_names)s::text[], %(task_names)s::text[], %(priorities)s::integer[], %(locks)s::text[],
         %(queueing_locks)s::text[], %(args)s::text[], %(scheduled_ats)s::timestamptz[], %(unique_keys)s::text[],
         %(tenant_ids)s::integer[], %(noted)s) e
 ORDER BY e.n
