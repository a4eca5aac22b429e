SELECT e.n, e.id, e.enqueued_at, e.is_written, e.tenant_is_known
  FROM youtility_tasks_enqueue_v1(
         %(queue_name)s::text[], %(task_name)s::text[], %(priority)s::integer[], %(lock)s::text[],
         %(queueing_lock)s::text[], %(args)s::text[], %(scheduled_at)s::timestamptz[], %(unique_key)s::text[],
         %(tenant_id)s::integer[], %(noted)s) e
 ORDER BY e.n
