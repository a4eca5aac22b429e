-- The worker's statements. Each is one function so that it is one round trip and one commit, with its plan fixed:
-- custom planning costs 0.4 ms a call, jit 9 to 80 ms once the estimates grow, and stale statistics choose sequential
-- scans; hence the SET clauses on every function that touches the job table.

-- Claim up to p_n jobs of one queue for a worker, by (priority, id).
--
-- procrastinate's rule for locks holds: a job with a lock is claimable only if no job with that lock is running and it
-- is the first waiting one of that lock, whatever its queue or schedule. So one statement never takes two of a lock.
-- Every claim draws the job's next claim number: the fence that all later writes must show.
CREATE FUNCTION youtility_tasks_claim_v1(p_queue text, p_worker_id bigint, p_n integer, p_locks boolean DEFAULT true)
RETURNS SETOF procrastinate_jobs LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    ids bigint[];
    rows procrastinate_jobs[];
BEGIN
    WITH ready AS (
        SELECT j.id, j.priority FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.queue_name = p_queue
           AND (j.lock IS NULL OR (p_locks
                -- scalar sub-selects, not NOT EXISTS: never hashed over all running locks
                AND (SELECT 1 FROM procrastinate_jobs d
                      WHERE d.lock = j.lock AND d.status = 'doing' LIMIT 1) IS NULL
                AND j.id = (SELECT o.id FROM procrastinate_jobs o
                             WHERE o.lock = j.lock AND o.status = 'todo' ORDER BY -o.priority, o.id LIMIT 1)))
         ORDER BY -j.priority, j.id LIMIT p_n FOR UPDATE SKIP LOCKED
    ), due AS (
        SELECT j.id, j.priority FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at <= clock_timestamp() AND j.queue_name = p_queue
           AND (j.lock IS NULL OR (p_locks
                AND (SELECT 1 FROM procrastinate_jobs d
                      WHERE d.lock = j.lock AND d.status = 'doing' LIMIT 1) IS NULL
                AND j.id = (SELECT o.id FROM procrastinate_jobs o
                             WHERE o.lock = j.lock AND o.status = 'todo' ORDER BY -o.priority, o.id LIMIT 1)))
         ORDER BY j.scheduled_at LIMIT p_n FOR UPDATE SKIP LOCKED
    )
    SELECT array_agg(c.id) INTO ids FROM (
        SELECT u.id FROM (SELECT * FROM ready UNION ALL SELECT * FROM due) u ORDER BY u.priority DESC, u.id LIMIT p_n) c;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    -- Collected first and returned after: rows that RETURN QUERY UPDATE has already put into the result survive the
    -- rollback of a later row's unique violation, and the worker would run jobs it does not own.
    WITH taken AS (
        UPDATE procrastinate_jobs j
           SET status = 'doing', worker_id = p_worker_id, claim_number = j.claim_number + 1, claimed_at = clock_timestamp()
         WHERE j.id = ANY (ids) RETURNING j)
    SELECT array_agg(t.j) INTO rows FROM taken t;
    RETURN QUERY SELECT * FROM unnest(rows) r ORDER BY r.priority DESC, r.id;
EXCEPTION WHEN unique_violation THEN
    -- Another worker has just taken the same lock through a job this snapshot could not see: leave locked jobs for the
    -- next round, never fail the worker.
    IF NOT p_locks THEN
        RAISE;
    END IF;
    RETURN QUERY SELECT * FROM youtility_tasks_claim_v1(p_queue, p_worker_id, p_n, false);
WHEN foreign_key_violation THEN
    -- This worker was rescued while it was frozen or cut off: it gets nothing, and its next renewal tells it so. The
    -- endings that it reports in the same round trip are judged all the same.
    RETURN;
END $$;

-- End attempts: write their history and move their jobs on, in one statement. Returns the ids that were really this
-- worker's under these claim numbers; for any other id nothing was changed (the fence).
--
-- verdict: succeeded, aborted  the job leaves the table
--          failed              the job stays as a dead letter
--          retry               waits delay_s, one attempt used
--          crashed             waits, no attempt used, crash_count + 1
--          released            waits delay_s, nothing used, no history (it never ran, or was handed back)
CREATE FUNCTION youtility_tasks_finish_v1(p_worker_id bigint, p_host text, p_ended jsonb, p_looks integer DEFAULT 2)
RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    done bigint[];
BEGIN
    WITH ended AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(p_ended) AS e(
            id bigint, claim_number bigint, verdict text, outcome text, delay_s double precision, pid integer,
            run_ms double precision, cpu_ms double precision, peak_memory_kib bigint, result jsonb,
            error_class text, error_message text, traceback text)
    ), held AS MATERIALIZED (
        SELECT j.id, j.task_name, j.queue_name, j.tenant_id, j.priority, j.attempts, j.args, j.enqueued_at,
               j.scheduled_at, j.claimed_at, j.queueing_lock,
               CASE WHEN j.abort_requested AND e.verdict IN ('retry', 'crashed', 'released') THEN 'aborted' ELSE e.verdict END AS verdict,
               CASE WHEN j.abort_requested AND e.verdict IN ('retry', 'crashed', 'released') THEN 'aborted' ELSE e.outcome END AS outcome,
               e.claim_number, e.delay_s, e.pid, e.run_ms, e.cpu_ms, e.peak_memory_kib, e.result,
               e.error_class, e.error_message, e.traceback
          FROM ended e JOIN procrastinate_jobs j ON j.id = e.id
         WHERE j.status = 'doing' AND j.worker_id = p_worker_id AND j.claim_number = e.claim_number
         ORDER BY j.id FOR UPDATE OF j
    ), left_table AS (
        DELETE FROM procrastinate_jobs j USING held h
         WHERE j.id = h.id AND h.verdict IN ('succeeded', 'aborted')
    ), stayed AS (
        UPDATE procrastinate_jobs j
           SET status = CASE WHEN h.verdict = 'failed' THEN 'failed' ELSE 'todo' END::procrastinate_job_status,
               attempts = j.attempts + CASE WHEN h.verdict IN ('retry', 'failed') THEN 1 ELSE 0 END,
               crash_count = j.crash_count + CASE WHEN h.outcome = 'crashed' THEN 1 ELSE 0 END,
               scheduled_at = CASE WHEN h.delay_s > 0 THEN clock_timestamp() + h.delay_s * interval '1 second'
                                   -- due from now, so that the next attempt's wait is counted from here
                                   WHEN h.verdict = 'retry' THEN clock_timestamp() ELSE j.scheduled_at END,
               failed_at = CASE WHEN h.verdict = 'failed' THEN clock_timestamp() END,
               worker_id = NULL, abort_requested = false,
               -- The queueing lock means "one waiting": when another already waits, or goes back in this very
               -- statement, this one goes on without it.
               queueing_lock = CASE WHEN h.queueing_lock IS NULL OR h.verdict = 'failed' THEN h.queueing_lock
                                    WHEN p_looks > 0
                                     AND (SELECT 1 FROM procrastinate_jobs o
                                           WHERE o.queueing_lock = h.queueing_lock AND o.status = 'todo' LIMIT 1) IS NULL
                                     AND (SELECT 1 FROM held o
                                           WHERE o.queueing_lock = h.queueing_lock AND o.id < h.id
                                             AND o.verdict IN ('retry', 'crashed', 'released') LIMIT 1) IS NULL
                                    THEN h.queueing_lock END
          FROM held h
         WHERE j.id = h.id AND h.verdict IN ('failed', 'retry', 'crashed', 'released')
    ), recorded AS (
        INSERT INTO youtility_tasks_history (
            job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, worker_id, host, pid, enqueued_at,
            scheduled_at, started_at, finished_at, wait_ms, run_ms, cpu_ms, peak_memory_kib, status, outcome, is_final,
            args, result, error_class, error_message, traceback)
        SELECT h.id, h.task_name, h.queue_name, h.tenant_id, 11 - h.priority, h.attempts + 1, h.claim_number, p_worker_id,
               p_host, h.pid, h.enqueued_at, h.scheduled_at, h.claimed_at, clock_timestamp(),
               extract(epoch FROM h.claimed_at - greatest(h.enqueued_at, h.scheduled_at)) * 1000,
               h.run_ms, h.cpu_ms, h.peak_memory_kib,
               CASE WHEN h.verdict IN ('retry', 'crashed') THEN 'failed' ELSE h.verdict END, h.outcome,
               h.verdict IN ('succeeded', 'aborted', 'failed'),
               CASE WHEN h.verdict IN ('succeeded', 'aborted', 'failed') THEN h.args END,
               h.result, coalesce(h.error_class, ''), coalesce(h.error_message, ''), coalesce(h.traceback, '')
          FROM held h WHERE h.verdict <> 'released'
    )
    SELECT array_agg(h.id) INTO done FROM held h;
    RETURN coalesce(done, '{}');
EXCEPTION WHEN unique_violation THEN
    -- One was enqueued meanwhile under the queueing lock of one that goes back. A new look sees it; if that happens
    -- again and again, all go back without their locks rather than not at all.
    IF p_looks = 0 THEN
        RAISE;
    END IF;
    RETURN youtility_tasks_finish_v1(p_worker_id, p_host, p_ended, p_looks - 1);
END $$;

-- The pump: one round trip and one commit acknowledges what ended and claims up to p_n more.
-- The first row answers for the acknowledgement (job NULL); every further row is a claimed job.
CREATE FUNCTION youtility_tasks_pump_v1(p_worker_id bigint, p_host text, p_ended jsonb, p_queue text, p_n integer)
RETURNS TABLE (accepted bigint[], job procrastinate_jobs) LANGUAGE plpgsql
AS $$
BEGIN
    accepted := '{}';
    IF p_ended IS NOT NULL THEN
        accepted := youtility_tasks_finish_v1(p_worker_id, p_host, p_ended);
    END IF;
    job := NULL;
    RETURN NEXT;
    IF p_n > 0 THEN
        RETURN QUERY SELECT NULL::bigint[], c FROM youtility_tasks_claim_v1(p_queue, p_worker_id, p_n) c;
    END IF;
END $$;

-- Give back jobs of a worker, nothing used up; the ids that really went back. One that was asked to end meanwhile ends.
CREATE FUNCTION youtility_tasks_give_back_v1(p_worker_id bigint, p_host text, p_ids bigint[])
RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    released jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('id', j.id, 'claim_number', j.claim_number, 'verdict', 'released', 'outcome', 'lost'))
      INTO released
      FROM procrastinate_jobs j WHERE j.id = ANY (p_ids) AND j.worker_id = p_worker_id AND j.status = 'doing';
    IF released IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN youtility_tasks_finish_v1(p_worker_id, p_host, released);
END $$;

-- Renew a worker's lease and compare notes: p_held is [[job id, claim number], ...], all that the process really holds.
-- kind: unregistered (it was rescued: drop everything), returned (ours in the table, unknown to the process: a lost
-- claim reply, given back), lost (held by the process, no longer ours), abort (somebody asked for it).
CREATE FUNCTION youtility_tasks_renew_v1(p_worker_id bigint, p_held jsonb, p_status text, p_children jsonb, p_memory_bytes bigint)
RETURNS TABLE (kind text, job_id bigint) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    host text;
    unknown bigint[];
BEGIN
    UPDATE procrastinate_workers w SET last_heartbeat = clock_timestamp() WHERE w.id = p_worker_id;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'unregistered', NULL::bigint;
        RETURN;
    END IF;
    UPDATE youtility_tasks_taskworker t
       SET heartbeat_at = clock_timestamp(), status = p_status, children = p_children, memory_bytes = p_memory_bytes
     WHERE t.id = p_worker_id RETURNING t.host INTO host;
    SELECT array_agg(j.id) INTO unknown FROM procrastinate_jobs j
     WHERE j.worker_id = p_worker_id AND j.status = 'doing'
       AND j.id NOT IN (SELECT (h.value ->> 0)::bigint FROM jsonb_array_elements(p_held) h);
    IF unknown IS NOT NULL THEN
        RETURN QUERY SELECT 'returned', u FROM unnest(youtility_tasks_give_back_v1(p_worker_id, host, unknown)) u;
    END IF;
    RETURN QUERY
        WITH held AS MATERIALIZED (
            SELECT (h.value ->> 0)::bigint AS id, (h.value ->> 1)::bigint AS claim_number FROM jsonb_array_elements(p_held) h
        ), mine AS MATERIALIZED (
            SELECT j.id, j.claim_number, j.abort_requested FROM procrastinate_jobs j
             WHERE j.worker_id = p_worker_id AND j.status = 'doing'
        )
        SELECT 'lost', h.id FROM held h LEFT JOIN mine m ON m.id = h.id AND m.claim_number = h.claim_number WHERE m.id IS NULL
        UNION ALL
        SELECT 'abort', m.id FROM mine m JOIN held h ON h.id = m.id AND h.claim_number = m.claim_number WHERE m.abort_requested;
END $$;

-- Register a worker process with procrastinate and with us; returns its id, which is never used again.
CREATE FUNCTION youtility_tasks_register_v1(p_host text, p_pid integer, p_supervisor_pid integer, p_queue text, p_slots integer)
RETURNS bigint LANGUAGE sql
AS $$
    WITH w AS (SELECT r.worker_id FROM procrastinate_register_worker_v1() r)
    INSERT INTO youtility_tasks_taskworker (id, host, pid, supervisor_pid, queue_name, status, slots, children)
    SELECT w.worker_id, p_host, p_pid, p_supervisor_pid, p_queue, 'running', p_slots, '[]' FROM w
    RETURNING id
$$;

-- Leave in an orderly way: whatever is still held goes back to the queue, nothing used up.
CREATE FUNCTION youtility_tasks_unregister_v1(p_worker_id bigint)
RETURNS integer LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    given_back integer;
BEGIN
    SELECT cardinality(youtility_tasks_give_back_v1(p_worker_id, '', array_agg(j.id))) INTO given_back
      FROM procrastinate_jobs j WHERE j.worker_id = p_worker_id AND j.status = 'doing';
    DELETE FROM procrastinate_workers w WHERE w.id = p_worker_id;
    UPDATE youtility_tasks_taskworker t SET status = 'stopped', stopped_at = clock_timestamp(), children = '[]'
     WHERE t.id = p_worker_id;
    RETURN coalesce(given_back, 0);
END $$;

-- Rescue the jobs of workers that have been silent for p_lease_s. Any worker may call it at any time: silent workers
-- are taken under SKIP LOCKED and the silence is tested in the same statement. Stock procrastinate workers are left alone.
CREATE FUNCTION youtility_tasks_rescue_v1(p_lease_s double precision, p_max_rescues integer, p_looks integer DEFAULT 2)
RETURNS TABLE (worker_id bigint, job_id bigint, task_name varchar, verdict text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    silent bigint[];
    rescued jsonb;
BEGIN
    SELECT array_agg(s.id) INTO silent FROM (
        SELECT w.id FROM procrastinate_workers w JOIN youtility_tasks_taskworker t ON t.id = w.id
         WHERE w.last_heartbeat < clock_timestamp() - p_lease_s * interval '1 second'
         ORDER BY w.id FOR UPDATE OF w SKIP LOCKED) s;
    IF silent IS NULL THEN
        RETURN;
    END IF;
    -- Collected first and returned last: rows already returned would survive the exception's rollback.
    WITH orphans AS MATERIALIZED (
        SELECT j.*, t.host, j.worker_id AS holder,
               CASE WHEN j.abort_requested THEN 'aborted'
                    WHEN j.rescue_count + 1 >= p_max_rescues THEN 'failed' ELSE 'rescued' END AS verdict
          FROM procrastinate_jobs j JOIN youtility_tasks_taskworker t ON t.id = j.worker_id
         WHERE j.worker_id = ANY (silent) AND j.status = 'doing' ORDER BY j.id FOR UPDATE OF j
    ), moved AS (
        UPDATE procrastinate_jobs j
           SET status = CASE o.verdict WHEN 'rescued' THEN 'todo' ELSE o.verdict END::procrastinate_job_status,
               worker_id = NULL, rescue_count = j.rescue_count + 1, abort_requested = false,
               failed_at = CASE WHEN o.verdict = 'failed' THEN clock_timestamp() END,
               queueing_lock = CASE WHEN o.queueing_lock IS NULL OR o.verdict = 'failed' THEN o.queueing_lock
                                    WHEN p_looks > 0
                                     AND (SELECT 1 FROM procrastinate_jobs q
                                           WHERE q.queueing_lock = o.queueing_lock AND q.status = 'todo' LIMIT 1) IS NULL
                                     AND (SELECT 1 FROM orphans q
                                           WHERE q.queueing_lock = o.queueing_lock AND q.id < o.id
                                             AND q.verdict = 'rescued' LIMIT 1) IS NULL
                                    THEN o.queueing_lock END
          FROM orphans o WHERE j.id = o.id AND o.verdict <> 'aborted'
    ), left_table AS (
        DELETE FROM procrastinate_jobs j USING orphans o WHERE j.id = o.id AND o.verdict = 'aborted'
    ), recorded AS (
        INSERT INTO youtility_tasks_history (
            job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, worker_id, host, enqueued_at,
            scheduled_at, started_at, finished_at, wait_ms, status, outcome, is_final, args, error_message)
        SELECT o.id, o.task_name, o.queue_name, o.tenant_id, greatest(-32768, least(32767, 11 - o.priority::bigint)), o.attempts + 1, o.claim_number, o.holder,
               o.host, o.enqueued_at, o.scheduled_at, o.claimed_at, clock_timestamp(),
               extract(epoch FROM o.claimed_at - greatest(o.enqueued_at, o.scheduled_at)) * 1000,
               CASE o.verdict WHEN 'aborted' THEN 'aborted' ELSE 'failed' END,
               CASE o.verdict WHEN 'aborted' THEN 'aborted' ELSE 'lost' END, o.verdict <> 'rescued',
               CASE WHEN o.verdict <> 'rescued' THEN o.args END,
               'worker ' || o.holder || ' fell silent'
          FROM orphans o
    ), counted AS (
        INSERT INTO youtility_tasks_queuecounter AS c (name, label, value)
        SELECT 'rescued_total', 'worker_silent', count(*) FROM orphans HAVING count(*) > 0
        ON CONFLICT (name, label) DO UPDATE SET value = c.value + excluded.value
    )
    SELECT jsonb_agg(jsonb_build_object('worker', o.holder, 'job', o.id, 'task', o.task_name, 'verdict', o.verdict))
      INTO rescued FROM orphans o;
    UPDATE youtility_tasks_taskworker t SET status = 'lost', stopped_at = clock_timestamp(), children = '[]'
     WHERE t.id = ANY (silent);
    DELETE FROM procrastinate_workers w WHERE w.id = ANY (silent);
    RETURN QUERY SELECT r.worker, r.job, r.task, r.verdict
                   FROM jsonb_to_recordset(rescued) AS r(worker bigint, job bigint, task varchar, verdict text);
EXCEPTION WHEN unique_violation THEN
    -- As in finish: one was enqueued meanwhile under the queueing lock of a job that goes back.
    IF p_looks = 0 THEN
        RAISE;
    END IF;
    RETURN QUERY SELECT * FROM youtility_tasks_rescue_v1(p_lease_s, p_max_rescues, p_looks - 1);
END $$;
