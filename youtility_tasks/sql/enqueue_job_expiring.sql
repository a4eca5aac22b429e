SELECT e.n, e.id, e.enqueued_at, e.is_written, e.tenant_is_known
  FROM youtility_tasks_enqueue_expiring_v1(
         %(queue_name)s, %(task_name)s, %(priority)s, %(lock)s, %(queueing_lock)s, %(args)s, %(scheduled_at)s,
         %(unique_key)s, %(tenant_id)s, %(noted)s, %(expires_at)s) e
