-- As in 0015; and who ends a job meanwhile waits at the table itself. He used to wait at DEFAULT, whereto his row was on its way, and
-- then failed with check_violation, since DEFAULT takes no row of that day any more. Only for a day that has begun: no row of a
-- later one is on its way, and the days ahead are made beside all others.
CREATE OR REPLACE FUNCTION youtility_tasks_add_history_day_v1(p_day date, p_most integer DEFAULT 200000)
RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '1s' SET "TimeZone" = 'UTC'
AS $$
DECLARE
    home text := (SELECT c.relnamespace::regnamespace::text FROM pg_class c WHERE c.oid = 'youtility_tasks_history'::regclass);
    part text := home || '.youtility_tasks_history_' || to_char(p_day, 'YYYYMMDD');
    begins timestamptz := p_day;
    ends timestamptz := p_day + 1;
    moved bigint := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('youtility_tasks.history_days', 0)) OR to_regclass(part) IS NOT NULL
       OR (SELECT count(*) FROM (SELECT FROM youtility_tasks_history_default h
                                  WHERE h.finished_at >= begins AND h.finished_at < ends LIMIT p_most + 1) x) > p_most THEN
        RETURN NULL;
    END IF;
    IF begins <= clock_timestamp() + interval '1 minute' THEN
        LOCK TABLE ONLY youtility_tasks_history IN ACCESS EXCLUSIVE MODE;
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE youtility_tasks_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS'
                   ' INCLUDING INDEXES INCLUDING STORAGE)', part);
    IF (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = 'youtility_tasks_history'::regclass) THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE POLICY yt_owner ON %s TO %I USING (current_setting(''search_path'') = %L'
                       ' AND coalesce(tenant_id = (SELECT youtility_tasks_tenant_v1()), true))',
                       part, current_user, current_setting('search_path'));
    END IF;
    -- Before looking at the rows: none may come after the look, and none may be seen twice or not at all.
    LOCK TABLE youtility_tasks_history_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH gone AS (DELETE FROM youtility_tasks_history_default h'
                   ' WHERE h.finished_at >= $1 AND h.finished_at < $2 RETURNING h.*) INSERT INTO %s SELECT * FROM gone', part)
      USING begins, ends;
    GET DIAGNOSTICS moved = ROW_COUNT;
    EXECUTE format('ALTER TABLE youtility_tasks_history ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', part, begins, ends);
    RETURN moved;
END $$;

-- A new body takes these away.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_add_history_day_v1(date, integer) SECURITY DEFINER'
                   ' SET search_path TO pg_catalog, %I, pg_temp', current_schema());
END $do$;
