-- What was done cannot be undone here: not by the application, not by hand. (TRUNCATE is the owner's alone, and tests use it.)
CREATE FUNCTION youtility_tasks_keep_audit_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is append-only: % of row % refused', lower(TG_OP), OLD.id
        USING ERRCODE = 'insufficient_privilege', HINT = 'Write another row that says what was wrong with this one.';
END $$;
CREATE TRIGGER youtility_tasks_keep_audit BEFORE UPDATE OR DELETE ON youtility_tasks_taskauditlog
    FOR EACH ROW EXECUTE FUNCTION youtility_tasks_keep_audit_v1();

-- How many jobs wait under each control (its id may be of one that is gone), by queue: counted up to p_most for each. Some
-- index probes a queue and a control, however many jobs wait beside.
CREATE FUNCTION youtility_tasks_parked_v1(p_most integer)
RETURNS TABLE (queue_name text, control_id integer, job_count bigint) LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_incremental_sort = off
AS $$
BEGIN
    queue_name := '';
    LOOP
        SELECT j.queue_name INTO queue_name FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0)
           AND j.queue_name > youtility_tasks_parked_v1.queue_name ORDER BY j.queue_name, j.parked_by LIMIT 1;
        EXIT WHEN queue_name IS NULL;
        control_id := 0;
        LOOP
            SELECT j.parked_by INTO control_id FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0)
               AND j.queue_name = youtility_tasks_parked_v1.queue_name AND j.parked_by > control_id ORDER BY j.parked_by LIMIT 1;
            EXIT WHEN control_id IS NULL;
            SELECT count(*) INTO job_count FROM (
                SELECT FROM procrastinate_jobs j
                 WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0)
                   AND j.queue_name = youtility_tasks_parked_v1.queue_name AND j.parked_by = control_id
                 ORDER BY -j.priority, j.tenant_id LIMIT p_most) b;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;

-- Take away a control that keeps nothing back and under which no job is parked. True if it is gone.
--
-- Under the lock that claims take: whoever has read this control may still be about to park jobs under it, and parked jobs
-- without a control are looked at only by a queue that has another one.
CREATE FUNCTION youtility_tasks_forget_control_v1(p_control integer) RETURNS boolean LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('youtility_tasks_control'), p_control);
    IF EXISTS (SELECT FROM youtility_tasks_parked_v1(1) p WHERE p.control_id = p_control) THEN
        RETURN false;
    END IF;
    DELETE FROM youtility_tasks_queuecontrol c
     WHERE c.id = p_control AND c.max_running IS NULL AND c.rate_per_s IS NULL
       AND (NOT c.is_paused OR c.paused_until <= clock_timestamp());
    RETURN FOUND;
END $$;

-- Let up to p_most jobs go that are parked under a control which somebody deleted by hand; how many.
CREATE FUNCTION youtility_tasks_unpark_v1(p_queue text, p_control integer, p_most integer) RETURNS bigint LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    freed bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('youtility_tasks_control'), p_control);
    IF EXISTS (SELECT FROM youtility_tasks_queuecontrol c WHERE c.id = p_control) THEN
        RETURN 0;
    END IF;
    WITH chosen AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0)
           AND j.queue_name = p_queue AND j.parked_by = p_control LIMIT p_most FOR UPDATE SKIP LOCKED)
    UPDATE procrastinate_jobs j SET parked_by = 0 WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c));
    GET DIAGNOSTICS freed = ROW_COUNT;
    IF freed > 0 THEN
        PERFORM pg_notify('procrastinate_queue_v1#' || p_queue, '{"type": "job_inserted"}');
    END IF;
    RETURN freed;
END $$;

-- How many jobs stand before one in its queue: more urgent ones (ready, due, with a lock), those of its own tenant, those that
-- other tenants have in their turns until its own turn comes, and of how many tenants (of up to 64). Each is counted up to
-- p_most by the index whose order it asks for: without one, or with sorts allowed, reading a queue of a million looks cheaper.
CREATE FUNCTION youtility_tasks_before_v1(p_queue text, p_priority integer, p_tenant_id integer, p_id bigint, p_most integer)
RETURNS TABLE (more_urgent bigint, own bigint, others bigint, tenants bigint) LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_incremental_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    WITH urgent AS (
        (SELECT FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
            AND -j.priority < -p_priority ORDER BY -j.priority, j.tenant_id LIMIT p_most)
        UNION ALL
        (SELECT FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NOT NULL AND j.queue_name = p_queue
            AND -j.priority < -p_priority ORDER BY -j.priority, j.id LIMIT p_most)
        UNION ALL
        (SELECT FROM (
            SELECT j.priority FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.scheduled_at <= (SELECT clock_timestamp()) AND j.lock IS NULL AND j.queue_name = p_queue
               AND j.parked_by = 0 ORDER BY j.scheduled_at LIMIT p_most) d WHERE -d.priority < -p_priority)
    ), own AS (
        SELECT count(*) AS n FROM (
            SELECT FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
               AND -j.priority = -p_priority AND j.tenant_id = p_tenant_id AND j.id < p_id ORDER BY j.id LIMIT p_most) o
    ), waiting AS (
        SELECT t.tenant_id, coalesce(w.weight, 1)::float8 / coalesce(m.weight, 1) AS share, count(*) OVER () AS n
          FROM unnest(youtility_tasks_tenants_ready_v1(p_queue, 0, -p_priority, 0, 64, ARRAY[p_tenant_id])) AS t(tenant_id)
          LEFT JOIN youtility_tasks_tenant w ON w.id = t.tenant_id
          LEFT JOIN youtility_tasks_tenant m ON m.id = p_tenant_id
    )
    SELECT least((SELECT count(*) FROM urgent), p_most), own.n,
           (SELECT coalesce(sum(c.n), 0)::bigint FROM waiting t CROSS JOIN LATERAL (
              SELECT count(*) AS n FROM (
                SELECT FROM procrastinate_jobs j
                 WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
                   AND -j.priority = -p_priority AND j.tenant_id = t.tenant_id
                 ORDER BY j.id LIMIT least(ceil((own.n + 1) * t.share), p_most / t.n + 1)) b) c),
           (SELECT count(*) FROM waiting)
      FROM own
$$;

-- How many jobs of a queue that are parked under a control stand before one: more urgent ones, and its own tenant's; up to p_most.
CREATE FUNCTION youtility_tasks_parked_before_v1(
    p_queue text, p_control integer, p_priority integer, p_tenant_id integer, p_id bigint, p_most integer)
RETURNS bigint LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_incremental_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT count(*) FROM (
        (SELECT FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
            AND j.parked_by = p_control AND -j.priority < -p_priority ORDER BY -j.priority, j.tenant_id LIMIT p_most)
        UNION ALL
        (SELECT FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
            AND j.parked_by = p_control AND -j.priority = -p_priority AND j.tenant_id = p_tenant_id AND j.id < p_id
          ORDER BY j.id LIMIT p_most)
        LIMIT p_most) b
$$;
