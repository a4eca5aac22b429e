-- As enqueue_job, for a statement outside of any transaction: it brings the token itself, before it calls.
SELECT e.n, e.id, e.enqueued_at, e.is_written, e.tenant_is_known
  FROM (SELECT set_config('youtility_tasks.token', %(token)s, true) AS token OFFSET 0) s,
       LATERAL youtility_tasks_enqueue_one_v1(
         CASE WHEN s.token <> '' THEN %(queue_name)s::text END, %(task_name)s, %(priority)s, %(lock)s, %(queueing_lock)s, %(args)s,
         %(scheduled_at)s, %(unique_key)s, %(tenant_id)s, %(noted)s) e
