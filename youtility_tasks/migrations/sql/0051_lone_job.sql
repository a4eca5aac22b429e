-- A claim in one statement, where one job is there for it and nothing needs weighing: no other one ready, none come due, none with a
-- lock, no control, no turn that is owed. That is what a job meets which comes to an idle queue; and after a pause, when nothing of the
-- server's code is in the processor's caches, each statement less counts twice. Without a job_id: the long way.
CREATE FUNCTION youtility_tasks_claim_lone_v1(
    p_queue text, p_worker_id bigint,
    OUT job_id bigint, OUT task_name varchar, OUT args text, OUT attempts integer, OUT tenant_id integer, OUT claim_number bigint,
    OUT crash_count smallint, OUT has_lock boolean, OUT expires_in_s float8)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET jit = off
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET lock_timeout = '100ms'
AS $$
#variable_conflict use_column
DECLARE
    instant CONSTANT timestamptz := clock_timestamp();
BEGIN
    IF coalesce(current_setting('youtility_tasks.turns', true), '') <> ''
        OR coalesce(current_setting('youtility_tasks.floors', true), '') <> '' THEN
        RETURN;
    END IF;
    WITH ready AS (
        SELECT j.id, j.tenant_id FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
         ORDER BY -j.priority, j.tenant_id, j.id LIMIT 2 FOR UPDATE SKIP LOCKED
    ), lone AS (
        SELECT min(r.id) AS id, min(r.tenant_id) AS tenant_id FROM ready r HAVING count(*) = 1
    )
    UPDATE procrastinate_jobs j
       SET status = 'doing', worker_id = p_worker_id, claim_number = j.claim_number + 1, claimed_at = clock_timestamp()
     WHERE j.id = (SELECT l.id FROM lone l
                    WHERE NOT EXISTS (SELECT FROM youtility_tasks_queuecontrol c WHERE c.queue_name IN (p_queue, ''))
                      AND NOT EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = l.tenant_id AND NOT t.is_active)
                      -- each in the order of an index that no other has
                      AND (SELECT 1 FROM procrastinate_jobs d
                            WHERE d.status = 'todo' AND d.scheduled_at <= instant AND d.lock IS NULL AND d.queue_name = p_queue
                              AND d.parked_by = 0 ORDER BY d.scheduled_at LIMIT 1) IS NULL
                      AND (SELECT 1 FROM procrastinate_jobs k
                            WHERE k.status = 'todo' AND k.lock IS NOT NULL AND k.queue_name = p_queue
                            ORDER BY k.tenant_id, k.lock LIMIT 1) IS NULL)
    RETURNING j.id, j.task_name, j.args::text, j.attempts, j.tenant_id, j.claim_number, j.crash_count, j.lock IS NOT NULL,
              extract(epoch FROM j.expires_at - clock_timestamp())::float8
         INTO job_id, task_name, args, attempts, tenant_id, claim_number, crash_count, has_lock, expires_in_s;
EXCEPTION WHEN foreign_key_violation THEN
    job_id := NULL;  -- this worker was rescued: what the long way makes of that
END $$;

-- As youtility_tasks_pump_v4 of a worker that has nothing to report: by the short way if there is one. It has no settings of its own, which
-- the long way would be planned with.
CREATE FUNCTION youtility_tasks_pump_lone_v1(p_worker_id bigint, p_host text, p_queue text, p_n integer)
RETURNS TABLE (accepted bigint[], look_again boolean, look_after_s float8, job_id bigint, task_name varchar, args text, attempts integer,
               tenant_id integer, claim_number bigint, crash_count smallint, has_lock boolean, expires_in_s float8)
LANGUAGE plpgsql
AS $$
BEGIN
    IF p_n > 0 THEN
        SELECT c.job_id, c.task_name, c.args, c.attempts, c.tenant_id, c.claim_number, c.crash_count, c.has_lock, c.expires_in_s
          INTO job_id, task_name, args, attempts, tenant_id, claim_number, crash_count, has_lock, expires_in_s
          FROM youtility_tasks_claim_lone_v1(p_queue, p_worker_id) c;
    END IF;
    IF job_id IS NULL THEN
        RETURN QUERY SELECT * FROM youtility_tasks_pump_v4(p_worker_id, p_host, NULL, p_queue, p_n);
        RETURN;
    END IF;
    RETURN NEXT;
    RETURN QUERY SELECT '{}'::bigint[], p_n = 1 OR current_setting('youtility_tasks.locks_from', true) <> '', NULL::float8, NULL::bigint,
                        NULL::varchar, NULL::text, NULL::integer, NULL::integer, NULL::bigint, NULL::smallint, NULL::boolean, NULL::float8;
END $$;
