-- The schedules that are due and the first that is not, each with the seconds until then. Those of a tenant that left are off.
SELECT s.id, s.tenant_id, extract(epoch FROM s.next_at - clock_timestamp())::float8
  FROM youtility_tasks_scheduledtask s
 WHERE s.next_at IS NOT NULL AND s.id <> ALL (%(but_not)s::bigint[])
   AND (s.tenant_id = 0 OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = s.tenant_id AND t.is_active))
 ORDER BY s.next_at LIMIT %(most)s
