-- What each worker looks for beside jobs, on the connection with which it claims: while somebody has locked the table, one row without an id is found, and
-- no job waits for him.

-- The schedules that are due, tenants in turn, so that who has ten thousand of them keeps nobody else's waiting; and the first that is not;
-- each with the seconds until then. Those of a tenant that left are off. By the statement's time and not the clock's, by which no index is read.
CREATE FUNCTION youtility_tasks_due_schedules_v1(p_but_not bigint[], p_most integer)
RETURNS TABLE (id bigint, tenant_id integer, in_s float8)
LANGUAGE plpgsql
SET lock_timeout = '50ms'
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT s.id, s.tenant_id, s.next_at, row_number() OVER (PARTITION BY s.tenant_id ORDER BY s.next_at) AS turn
          FROM youtility_tasks_scheduledtask s
         WHERE s.next_at <= statement_timestamp() AND s.id <> ALL (p_but_not)
           AND (s.tenant_id = 0 OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = s.tenant_id AND t.is_active))
    )
    (SELECT d.id, d.tenant_id, extract(epoch FROM d.next_at - clock_timestamp())::float8
       FROM due d ORDER BY d.turn, d.next_at LIMIT p_most)
    UNION ALL
    (SELECT s.id, s.tenant_id, extract(epoch FROM s.next_at - clock_timestamp())::float8
       FROM youtility_tasks_scheduledtask s
      WHERE s.next_at > statement_timestamp() AND s.id <> ALL (p_but_not)
        AND (s.tenant_id = 0 OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = s.tenant_id AND t.is_active))
      ORDER BY s.next_at LIMIT 1);
EXCEPTION WHEN lock_not_available THEN
    RETURN QUERY SELECT NULL::bigint, NULL::integer, NULL::float8;
END $$;

-- The bulk operations that are to be carried on. Tenants in turn: who has begun a thousand of them, or one that fails each time, keeps nobody else's
-- waiting.
CREATE FUNCTION youtility_tasks_unfinished_operations_v1(p_but_not bigint[], p_most integer)
RETURNS TABLE (id bigint, tenant_id integer)
LANGUAGE plpgsql
SET lock_timeout = '50ms'
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.id, u.tenant_id
      FROM (SELECT o.id, o.tenant_id, row_number() OVER (PARTITION BY o.tenant_id ORDER BY o.id) AS turn
              FROM youtility_tasks_taskoperation o
             WHERE o.ended_at IS NULL AND o.id <> ALL (p_but_not)) u
     ORDER BY u.turn, random() LIMIT p_most;
EXCEPTION WHEN lock_not_available THEN
    RETURN QUERY SELECT NULL::bigint, NULL::integer;
END $$;
