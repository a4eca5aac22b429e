SELECT g.counted_at, g.tenant_id, g.queue_name, g.todo, g.doing, g.scheduled, g.failed,
       coalesce(extract(epoch FROM clock_timestamp() - g.oldest_at), 0)::double precision
  FROM youtility_tasks_glance_v1(%(tenant_id)s::integer, %(live_ms)s) g
