-- The schedules that are due, tenants in turn, so that who has ten thousand of them keeps nobody else's waiting; and the first that is not;
-- each with the seconds until then. Those of a tenant that left are off. By the statement's time and not the clock's, by which no index is read.
WITH due AS MATERIALIZED (
    SELECT s.id, s.tenant_id, s.next_at, row_number() OVER (PARTITION BY s.tenant_id ORDER BY s.next_at) AS turn
      FROM youtility_tasks_scheduledtask s
     WHERE s.next_at <= statement_timestamp() AND s.id <> ALL (%(but_not)s::bigint[])
       AND (s.tenant_id = 0 OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = s.tenant_id AND t.is_active))
)
(SELECT d.id, d.tenant_id, extract(epoch FROM d.next_at - clock_timestamp())::float8
   FROM due d ORDER BY d.turn, d.next_at LIMIT %(most)s)
UNION ALL
(SELECT s.id, s.tenant_id, extract(epoch FROM s.next_at - clock_timestamp())::float8
   FROM youtility_tasks_scheduledtask s
  WHERE s.next_at > statement_timestamp() AND s.id <> ALL (%(but_not)s::bigint[])
    AND (s.tenant_id = 0 OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = s.tenant_id AND t.is_active))
  ORDER BY s.next_at LIMIT 1)
