-- What the engine needs beyond 0002 to 0004.

-- procrastinate writes three event rows and two notifications for every job. `noted` says whether it does for this one:
-- its own paths keep the default, so all of its API sees what it always saw; our enqueue writes false unless the setting
-- `procrastinate_events` is on. A final state that a stock worker reaches is noted for every job, since its own clean-up
-- goes by that event.
ALTER TABLE procrastinate_jobs ADD COLUMN noted boolean NOT NULL DEFAULT true;
ALTER TABLE youtility_tasks_history ADD COLUMN output text NOT NULL DEFAULT '';

ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1;
ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_status_events_insert_v1;
ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_status_events_update_v1;
ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_scheduled_events_v1;
CREATE TRIGGER youtility_tasks_notify_inserted AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.noted AND NEW.status = 'todo') EXECUTE FUNCTION procrastinate_notify_queue_job_inserted_v1();
CREATE TRIGGER youtility_tasks_events_insert AFTER INSERT ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.noted AND NEW.status = 'todo')
    EXECUTE FUNCTION procrastinate_trigger_function_status_events_insert_v1();
CREATE TRIGGER youtility_tasks_events_update AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.noted OR NEW.status NOT IN ('todo', 'doing'))
    EXECUTE FUNCTION procrastinate_trigger_function_status_events_update_v1();
CREATE TRIGGER youtility_tasks_events_scheduled AFTER INSERT OR UPDATE ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.noted AND NEW.scheduled_at IS NOT NULL AND NEW.status = 'todo')
    EXECUTE FUNCTION procrastinate_trigger_function_scheduled_events_v1();

-- Jobs with a lock apart from those without: a claim then never walks the jobs that wait behind a lock to find one that
-- waits for nothing (50,000 of them were 162 ms a claim).
DROP INDEX youtility_tasks_jobs_ready, youtility_tasks_jobs_due;
CREATE INDEX youtility_tasks_jobs_ready_free ON procrastinate_jobs (queue_name, (-priority), id)
    WHERE status = 'todo' AND scheduled_at IS NULL AND lock IS NULL;
CREATE INDEX youtility_tasks_jobs_due_free ON procrastinate_jobs (queue_name, scheduled_at)
    WHERE status = 'todo' AND scheduled_at IS NOT NULL AND lock IS NULL;
CREATE INDEX youtility_tasks_jobs_ready_locked ON procrastinate_jobs (queue_name, (-priority), id)
    WHERE status = 'todo' AND scheduled_at IS NULL AND lock IS NOT NULL;
CREATE INDEX youtility_tasks_jobs_due_locked ON procrastinate_jobs (queue_name, scheduled_at)
    WHERE status = 'todo' AND scheduled_at IS NOT NULL AND lock IS NOT NULL;
CREATE INDEX youtility_tasks_jobs_locks ON procrastinate_jobs (queue_name, lock)
    WHERE status = 'todo' AND lock IS NOT NULL;

-- The jobs with a lock that may be claimed now: the first waiting one of its lock, whatever its queue or schedule, and
-- none of that lock running (procrastinate's rule).
--
-- A bounded walk in claim order names the locks first. Only when it saw nothing but blocked ones, all locks of the queue
-- are visited one by one (each costs an index probe, however many jobs wait behind it), so that a crowd behind one lock
-- hides nobody.
CREATE FUNCTION youtility_tasks_lock_heads_v1(p_queue text, p_now timestamptz, p_n integer)
RETURNS bigint[] LANGUAGE plpgsql STABLE
AS $$
DECLARE
    walk CONSTANT integer := p_n + 100;
    most_locks CONSTANT integer := 10000;
    seen integer;
    locks text[];
    heads bigint[];
BEGIN
    WITH ready AS (
        SELECT j.lock FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NOT NULL AND j.queue_name = p_queue
         ORDER BY -j.priority, j.id LIMIT walk
    ), due AS (
        SELECT j.lock FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at <= p_now AND j.lock IS NOT NULL AND j.queue_name = p_queue
         ORDER BY j.scheduled_at LIMIT walk
    )
    SELECT count(*), array_agg(DISTINCT w.lock) INTO seen, locks FROM (SELECT * FROM ready UNION ALL SELECT * FROM due) w;
    IF seen = 0 THEN
        RETURN NULL;
    END IF;
    heads := youtility_tasks_first_of_locks_v1(p_queue, p_now, locks);
    IF seen < walk OR cardinality(heads) >= p_n THEN
        RETURN heads;
    END IF;
    WITH RECURSIVE every (lock, n) AS (
        (SELECT j.lock, 1 FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.lock IS NOT NULL AND j.queue_name = p_queue ORDER BY j.lock LIMIT 1)
        UNION ALL
        SELECT (SELECT j.lock FROM procrastinate_jobs j
                 WHERE j.status = 'todo' AND j.lock IS NOT NULL AND j.queue_name = p_queue AND j.lock > e.lock
                 ORDER BY j.lock LIMIT 1), e.n + 1
          FROM every e WHERE e.lock IS NOT NULL AND e.n < most_locks
    )
    SELECT array_agg(e.lock) INTO locks FROM every e WHERE e.lock IS NOT NULL;
    RETURN youtility_tasks_first_of_locks_v1(p_queue, p_now, locks);
END $$;

-- Of each of these locks the one job that may be claimed now, if there is one in this queue.
CREATE FUNCTION youtility_tasks_first_of_locks_v1(p_queue text, p_now timestamptz, p_locks text[])
RETURNS bigint[] LANGUAGE sql STABLE
AS $$
    SELECT array_agg(j.id) FROM (
        SELECT (SELECT o.id FROM procrastinate_jobs o
                 WHERE o.lock = l.lock AND o.status = 'todo' ORDER BY -o.priority, o.id LIMIT 1) AS id
          FROM unnest(p_locks) AS l(lock)
         -- scalar sub-selects, not NOT EXISTS: never hashed over all running locks
         WHERE (SELECT 1 FROM procrastinate_jobs d WHERE d.lock = l.lock AND d.status = 'doing' LIMIT 1) IS NULL) f
      JOIN procrastinate_jobs j ON j.id = f.id
     WHERE j.queue_name = p_queue AND (j.scheduled_at IS NULL OR j.scheduled_at <= p_now)
$$;

-- Claim up to p_n jobs of one queue for a worker, by (priority, id). One statement never takes two of a lock, and every
-- claim draws the job's next claim number: the fence that all later writes must show.
CREATE FUNCTION youtility_tasks_claim_v2(p_queue text, p_worker_id bigint, p_n integer, p_locks boolean DEFAULT true)
RETURNS SETOF procrastinate_jobs LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
-- until ANALYZE has seen a backlog, reading all of it to sort or hash it looks cheaper than walking an index
SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    -- A variable, since clock_timestamp() itself cannot bound an index scan: every future job would be looked at.
    instant CONSTANT timestamptz := clock_timestamp();
    heads bigint[];
    ids bigint[];
    rows procrastinate_jobs[];
BEGIN
    IF p_locks THEN
        heads := youtility_tasks_lock_heads_v1(p_queue, instant, p_n);
    END IF;
    WITH ready AS (
        SELECT j.id, j.priority FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue
         ORDER BY -j.priority, j.id LIMIT p_n FOR UPDATE SKIP LOCKED
    ), due AS (
        SELECT j.id, j.priority FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at <= instant AND j.lock IS NULL AND j.queue_name = p_queue
         ORDER BY j.scheduled_at LIMIT p_n FOR UPDATE SKIP LOCKED
    ), locked AS (
        SELECT j.id, j.priority FROM procrastinate_jobs j
         -- due, too: another worker may have run it since `heads` was found, and put it back for later
         WHERE j.id = ANY (heads) AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= instant)
           FOR UPDATE SKIP LOCKED
    )
    SELECT array_agg(c.id) INTO ids FROM (
        SELECT u.id FROM (SELECT * FROM ready UNION ALL SELECT * FROM due UNION ALL SELECT * FROM locked) u
         ORDER BY u.priority DESC, u.id LIMIT p_n) c;
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
    RETURN QUERY SELECT * FROM youtility_tasks_claim_v2(p_queue, p_worker_id, p_n, false);
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
CREATE FUNCTION youtility_tasks_finish_v2(p_worker_id bigint, p_host text, p_ended jsonb, p_looks integer DEFAULT 2)
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
            error_class text, error_message text, traceback text, output text)
    ), held AS MATERIALIZED (
        SELECT j.id, j.task_name, j.queue_name, j.tenant_id, j.priority, j.attempts, j.args, j.enqueued_at,
               j.scheduled_at, j.claimed_at, j.queueing_lock,
               CASE WHEN j.abort_requested AND e.verdict IN ('retry', 'crashed', 'released') THEN 'aborted' ELSE e.verdict END AS verdict,
               CASE WHEN j.abort_requested AND e.verdict IN ('retry', 'crashed', 'released') THEN 'aborted' ELSE e.outcome END AS outcome,
               e.claim_number, e.delay_s, e.pid, e.run_ms, e.cpu_ms, e.peak_memory_kib, e.result,
               e.error_class, e.error_message, e.traceback, e.output
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
            args, result, error_class, error_message, traceback, output)
        SELECT h.id, h.task_name, h.queue_name, h.tenant_id, greatest(-32768, least(32767, 11 - h.priority::bigint)), h.attempts + 1, h.claim_number, p_worker_id,
               p_host, h.pid, h.enqueued_at, h.scheduled_at, h.claimed_at, clock_timestamp(),
               extract(epoch FROM h.claimed_at - greatest(h.enqueued_at, h.scheduled_at)) * 1000,
               h.run_ms, h.cpu_ms, h.peak_memory_kib,
               CASE WHEN h.verdict IN ('retry', 'crashed') THEN 'failed' ELSE h.verdict END, h.outcome,
               h.verdict IN ('succeeded', 'aborted', 'failed'),
               CASE WHEN h.verdict IN ('succeeded', 'aborted', 'failed') THEN h.args END,
               h.result, coalesce(h.error_class, ''), coalesce(h.error_message, ''), coalesce(h.traceback, ''),
               coalesce(h.output, '')
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
    RETURN youtility_tasks_finish_v2(p_worker_id, p_host, p_ended, p_looks - 1);
END $$;

-- Give back jobs of a worker, nothing used up; the ids that really went back. One that was asked to end meanwhile ends.
CREATE OR REPLACE FUNCTION youtility_tasks_give_back_v1(p_worker_id bigint, p_host text, p_ids bigint[])
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
    RETURN youtility_tasks_finish_v2(p_worker_id, p_host, released);
END $$;

-- Insert many jobs as one statement, in the caller's transaction, and wake their queues: once each, however many jobs.
-- Ids are drawn first: with ON CONFLICT DO NOTHING the rows that come back no longer line up with the rows that went in.
-- A function, because its plan is kept: planning it anew costs more than running it for one job.
CREATE FUNCTION youtility_tasks_enqueue_v1(
    p_queue_names text[], p_task_names text[], p_priorities integer[], p_locks text[], p_queueing_locks text[], p_args text[],
    p_scheduled_ats timestamptz[], p_unique_keys text[], p_tenant_ids integer[], p_noted boolean)
RETURNS TABLE (n integer, id bigint, enqueued_at timestamptz, is_written boolean, tenant_is_known boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT nextval('procrastinate_jobs_id_seq') AS id, w.*
          FROM unnest(
                 p_queue_names, p_task_names, p_priorities, p_locks, p_queueing_locks, p_args, p_scheduled_ats,
                      p_unique_keys, p_tenant_ids)
               WITH ORDINALITY AS w(queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, n)
    ), allowed AS MATERIALIZED (
        SELECT t.id FROM youtility_tasks_tenant t WHERE t.is_active AND t.id = ANY (p_tenant_ids)
    ), written AS (
        INSERT INTO procrastinate_jobs
               (id, queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, noted)
        SELECT w.id, w.queue_name, w.task_name, w.priority, w.lock, w.queueing_lock, w.args::jsonb, w.scheduled_at,
               w.unique_key, w.tenant_id, p_noted
          FROM wanted w
         WHERE w.tenant_id = 0 OR w.tenant_id IN (SELECT a.id FROM allowed a)
         ORDER BY w.queueing_lock, w.unique_key, w.n  -- in one order for everybody: two batches wait, and never for each other
        ON CONFLICT DO NOTHING
        RETURNING id, queue_name, enqueued_at
    ), woken AS MATERIALIZED (
        -- With the server's notification queue more than half full nobody is woken: a full one would fail this transaction,
        -- and workers poll.
        SELECT count(pg_notify(c.channel, '{"type": "job_inserted", "job_id": 0}')) AS n
          FROM (SELECT 'procrastinate_queue_v1#' || x.queue_name AS channel FROM written x
                 UNION SELECT 'procrastinate_any_queue_v1' FROM written x) c
         WHERE NOT p_noted AND pg_notification_queue_usage() < 0.5
    )
    SELECT w.n::integer, w.id, x.enqueued_at, x.id IS NOT NULL AS is_written,
           w.tenant_id = 0 OR w.tenant_id IN (SELECT a.id FROM allowed a) AS tenant_is_known
      FROM wanted w LEFT JOIN written x ON x.id = w.id CROSS JOIN woken
     ORDER BY w.n;
END $$;

-- The pump: one round trip and one commit acknowledges what ended and claims up to p_n more.
-- The first row answers for the acknowledgement (job_id NULL); every further row is a claimed job. Arguments travel as
-- text: the worker passes them on unread.
CREATE FUNCTION youtility_tasks_pump_v2(p_worker_id bigint, p_host text, p_ended jsonb, p_queue text, p_n integer)
RETURNS TABLE (accepted bigint[], job_id bigint, task_name varchar, args text, attempts integer, tenant_id integer,
               claim_number bigint, crash_count smallint, has_lock boolean) LANGUAGE plpgsql
AS $$
BEGIN
    accepted := '{}';
    IF p_ended IS NOT NULL THEN
        accepted := youtility_tasks_finish_v2(p_worker_id, p_host, p_ended);
    END IF;
    RETURN NEXT;
    IF p_n > 0 THEN
        RETURN QUERY SELECT NULL::bigint[], c.id, c.task_name, c.args::text, c.attempts, c.tenant_id, c.claim_number,
                            c.crash_count, c.lock IS NOT NULL
                       FROM youtility_tasks_claim_v2(p_queue, p_worker_id, p_n) c;
    END IF;
END $$;
