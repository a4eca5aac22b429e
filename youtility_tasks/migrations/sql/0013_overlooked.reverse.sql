DROP FUNCTION youtility_tasks_due_v1;
DROP INDEX youtility_tasks_jobs_due_order, youtility_tasks_jobs_worker;
CREATE OR REPLACE FUNCTION youtility_tasks_turns_after_v1(p_waiting integer[], p_rows procrastinate_jobs[])
RETURNS text LANGUAGE sql STABLE
AS $$
    WITH served AS (
        SELECT r.tenant_id, count(*) AS n FROM unnest(p_rows) r GROUP BY r.tenant_id
    ), reached AS (
        SELECT e.tenant_id, coalesce(t.start, 0) + coalesce(s.n, 0)::float8 / coalesce(w.weight, 1) AS start
          FROM (SELECT u.tenant_id FROM unnest(p_waiting) AS u(tenant_id) UNION SELECT s.tenant_id FROM served s
                UNION SELECT t.tenant_id FROM youtility_tasks_turns_v1() t) e
          LEFT JOIN served s ON s.tenant_id = e.tenant_id LEFT JOIN youtility_tasks_turns_v1() t ON t.tenant_id = e.tenant_id
          LEFT JOIN youtility_tasks_tenant w ON w.id = e.tenant_id
    ), least AS (
        SELECT min(r.start) AS start FROM reached r WHERE r.tenant_id = ANY (p_waiting)
    )
    SELECT coalesce(array_agg(r.tenant_id), '{}')::text || '|' || coalesce(array_agg(r.start - l.start), '{}')::text
      FROM reached r CROSS JOIN least l WHERE r.start - l.start > 1e-9
$$;
