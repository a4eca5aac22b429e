-- What Celery did before us, entered as ended attempts: each draws a job's id, so that it is told like any other and no job has its number.
-- Days that have a partition get them there, others in DEFAULT. Rows of another tenant than the acting one are refused by the table's policy.
CREATE FUNCTION youtility_tasks_import_attempts_v1(p_rows jsonb)
RETURNS TABLE (n integer, job_id bigint) LANGUAGE plpgsql
AS $$
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT (e.ordinality - 1)::integer AS n, nextval(pg_get_serial_sequence('procrastinate_jobs', 'id')) AS job_id, r.*
          FROM jsonb_array_elements(p_rows) WITH ORDINALITY e(value, ordinality)
         CROSS JOIN LATERAL jsonb_to_record(e.value) AS r(
               tenant_id integer, task_name text, queue_name text, priority smallint, attempt integer, host text, enqueued_at timestamptz,
               started_at timestamptz, finished_at timestamptz, status text, outcome text, result jsonb, error_class text,
               error_message text, traceback text)
    ), entered AS (
        INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, host, enqueued_at,
               started_at, finished_at, wait_ms, run_ms, status, outcome, is_final, result, error_class, error_message, traceback)
        SELECT g.job_id, g.task_name, g.queue_name, g.tenant_id, g.priority, g.attempt, 0, g.host, g.enqueued_at, g.started_at, g.finished_at,
               greatest(extract(epoch FROM g.started_at - g.enqueued_at) * 1000, 0),
               greatest(extract(epoch FROM g.finished_at - g.started_at) * 1000, 0),
               g.status, g.outcome, true, g.result, g.error_class, g.error_message, g.traceback
          FROM given g
    )
    SELECT g.n, g.job_id FROM given g;
END $$;

-- A job that came from another queue has used up some of its attempts there.
CREATE FUNCTION youtility_tasks_used_attempts_v1(p_job_id bigint, p_attempts integer)
RETURNS boolean LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE procrastinate_jobs j SET attempts = greatest(j.attempts, least(p_attempts, 10000)) WHERE j.id = p_job_id AND j.status = 'todo';
    RETURN FOUND;
END $$;

DO $do$
DECLARE
    each record;
BEGIN
    FOR each IN SELECT f.name::regprocedure AS name FROM unnest(ARRAY[
        'youtility_tasks_import_attempts_v1(jsonb)',
        'youtility_tasks_used_attempts_v1(bigint,integer)']) f(name) LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', each.name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each.name);
    END LOOP;
END $do$;
