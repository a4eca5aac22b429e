-- A new body takes these away.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_add_history_day_v1(date, integer) SECURITY DEFINER'
                   ' SET search_path TO pg_catalog, %I, pg_temp', current_schema());
END $do$;
