SELECT CASE WHEN %(by_tenant)s THEN g.tenant_id END, g.queue_name, sum(g.todo)::bigint, sum(g.doing)::bigint, sum(g.scheduled)::bigint,
       sum(g.failed)::bigint, coalesce(extract(epoch FROM clock_timestamp() - min(g.oldest_at)), 0)::double precision
  FROM youtility_tasks_glance_v1(%(tenant_id)s::integer, %(live_ms)s) g GROUP BY 1, 2
