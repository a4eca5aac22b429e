-- What runs with its owner's rights asks what the policies of a new job ask: locks, priorities and instants of the tenant's own.

-- Refuse a run that could not go on: its later steps become jobs in the statement that ends the job before them, and that statement
-- carries endings of every tenant. Whatever the database would refuse there is refused here, to whoever asks for it.
CREATE FUNCTION youtility_tasks_flow_check_v1(p_flow jsonb, p_tenant_id integer) RETURNS void LANGUAGE plpgsql STABLE
AS $$
DECLARE
    own CONSTANT text := p_tenant_id || ':';
    longest_s CONSTANT float8 := 316224000;
    most CONSTANT integer := 1000000;
    longest_lock CONSTANT integer := 2100;  -- bytes; an index has no room for more
    wrong text;
BEGIN
    SELECT s.name INTO wrong
      FROM jsonb_to_recordset(p_flow -> 'steps') AS s(
               name text, kind text, edge_count integer, queue_name text, priority integer, args jsonb, lock text, wait_s float8,
               run_after timestamptz, over jsonb, timeout_s float8, only_if jsonb)
     WHERE (coalesce(s.edge_count BETWEEN 0 AND most, true)
            -- a notification's channel holds 63 bytes
            AND coalesce(octet_length('procrastinate_queue_v1#' || s.queue_name) <= 63, true)
            AND coalesce(s.priority, 0) <= 10
            AND coalesce(starts_with(s.lock, own) AND octet_length(s.lock) <= longest_lock, true)
            AND coalesce(s.wait_s BETWEEN 0 AND longest_s, true)
            AND coalesce(s.timeout_s BETWEEN 0 AND longest_s, true)
            AND coalesce(date_part('year', s.run_after) BETWEEN 1 AND 9998, true)
            AND coalesce(jsonb_typeof(s.args) = 'object', s.kind <> 'fan_out')
            AND coalesce(jsonb_typeof(s.only_if -> 'path') = 'array', true)
            AND coalesce(jsonb_typeof(s.over -> 'path') = 'array', true)
            AND NOT EXISTS (
                SELECT FROM jsonb_array_elements(CASE WHEN NOT s.over ? '$ref' THEN s.over -> 'list' END) e(value)
                 WHERE jsonb_typeof(e.value -> 'args') IS DISTINCT FROM 'object'
                    OR NOT coalesce(starts_with(e.value ->> 'lock', own) AND octet_length(e.value ->> 'lock') <= longest_lock, true))
           ) IS NOT TRUE
     LIMIT 1;
    IF NOT FOUND THEN
        SELECT r.name INTO wrong FROM jsonb_to_recordset(p_flow -> 'runs') AS r(name text, deadline_s float8, step_count integer)
         WHERE (coalesce(r.deadline_s BETWEEN 0 AND longest_s, true) AND coalesce(r.step_count BETWEEN 0 AND most, true)) IS NOT TRUE
         LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('%L has a lock, priority, time or number that no step of a run of tenant %s may have', wrong, p_tenant_id),
            HINT = 'Start it as a `Workflow`, which says what it is: locks begin with the tenant, priorities are 1 to 10, times at most ten years.';
    END IF;
END $$;
REVOKE ALL ON FUNCTION youtility_tasks_flow_check_v1 FROM PUBLIC;
-- Runs ask this from now on; what they are owned by until `setup_task_queue` has run, and after.
DO $do$
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION youtility_tasks_flow_check_v1 TO %s', (
        SELECT p.proowner::regrole FROM pg_proc p WHERE p.oid = 'youtility_tasks_scope_v1(integer)'::regprocedure));
END $do$;

-- Instants that no client can read, as those of jobs and controls are: one row of one tenant, and an operator's page over all of them fails.
-- Not of the rows that there are: that would read every table under a lock.
DO $do$
DECLARE
    each record;
BEGIN
    FOR each IN SELECT * FROM (VALUES
        ('bridgecall', 'at'), ('tenantmembership', 'created_at'),
        ('savedview', 'created_at'), ('workflowtemplate', 'created_at'), ('scheduleholiday', 'day'),
        ('apitoken', 'created_at expires_at last_used_at revoked_at'), ('taskeffect', 'created_at done_at lease_until'),
        ('uniquekey', 'held_until'), ('redrive', 'failed_since failed_until next_at started_at ended_at'),
        ('taskoperation', 'started_at next_at ended_at'), ('tenant', 'created_at deactivated_at'),
        ('scheduledtask', 'at paused_at paused_until created_at changed_at removed_at settled_to next_at'),
        ('scheduledtaskexecution', 'tick_at starts_at decided_at')) AS t(name, columns) LOOP
        EXECUTE format('ALTER TABLE youtility_tasks_%s ADD CONSTRAINT yt_%s_instants CHECK (%s) NOT VALID', each.name, each.name, (
            SELECT string_agg(format('coalesce(%I BETWEEN ''0001-01-03 00:00:00+00'' AND ''9998-12-31 00:00:00+00'', true)', c), ' AND ')
              FROM string_to_table(each.columns, ' ') c));
    END LOOP;
END $do$;
