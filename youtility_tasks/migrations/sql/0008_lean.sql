-- What one job costs the server, made less; and no plan that reads a whole queue.

-- procrastinate unlinks every deleted job from the periodic task that made it, with a call and an UPDATE a job. Only its
-- own functions link the two, and a job that they make is `noted`.
ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_trigger_delete_jobs_v1;
CREATE TRIGGER youtility_tasks_unlink_periodic BEFORE DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.noted) EXECUTE FUNCTION procrastinate_unlink_periodic_defers_v1();

-- Waking the workers of a queue. One transaction that notifies commits after the other in PostgreSQL, so that 32 writers which
-- all notify are slower than one that commits for all. So the decision falls as a transaction commits, and while one that
-- notifies is committing the others leave it at that, if it decided in the same 50 ms: one that takes long to commit, or fails
-- at it, or decided early (SET CONSTRAINTS ALL IMMEDIATE) and stays open, must not keep everybody's jobs waiting for the next
-- poll. A worker looks again a moment after it was woken (see `Worker`).
-- With the server's notification queue more than half full nobody is woken: a full one would fail this transaction, and
-- workers poll.
CREATE FUNCTION youtility_tasks_wake_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    this_moment text;
BEGIN
    IF current_setting('youtility_tasks.woken', true) = NEW.queue_name THEN
        RETURN NULL;  -- by an earlier row of this transaction
    END IF;
    this_moment := NEW.queue_name || floor(extract(epoch FROM clock_timestamp()) * 20);
    IF pg_notification_queue_usage() < 0.5
       AND pg_try_advisory_xact_lock(hashtext('youtility_tasks_wake'), hashtext(this_moment)) THEN
        PERFORM set_config('youtility_tasks.woken', NEW.queue_name, true);
        PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, '{"type": "job_inserted", "job_id": 0}'),
                pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER youtility_tasks_wake AFTER INSERT ON procrastinate_jobs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NOT NEW.noted AND NEW.status = 'todo') EXECUTE FUNCTION youtility_tasks_wake_v1();

-- As in 0006, but for the waking.
CREATE OR REPLACE FUNCTION youtility_tasks_enqueue_v1(
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
    )
    SELECT w.n::integer, w.id, x.enqueued_at, x.id IS NOT NULL AS is_written,
           w.tenant_id = 0 OR w.tenant_id IN (SELECT a.id FROM allowed a) AS tenant_is_known
      FROM wanted w LEFT JOIN written x ON x.id = w.id
     ORDER BY w.n;
END $$;

-- Insert one job, in the caller's transaction: youtility_tasks_enqueue_v1 for a list of one, at two
-- thirds of its cost.
CREATE FUNCTION youtility_tasks_enqueue_one_v1(
    p_queue_name text, p_task_name text, p_priority integer, p_lock text, p_queueing_lock text, p_args jsonb,
    p_scheduled_at timestamptz, p_unique_key text, p_tenant_id integer, p_noted boolean,
    OUT n integer, OUT id bigint, OUT enqueued_at timestamptz, OUT is_written boolean, OUT tenant_is_known boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    n := 1;
    is_written := false;
    tenant_is_known := p_tenant_id = 0
        OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = p_tenant_id AND t.is_active);
    IF NOT tenant_is_known THEN
        RETURN;
    END IF;
    INSERT INTO procrastinate_jobs AS j
           (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, noted)
    VALUES (p_queue_name, p_task_name, p_priority, p_lock, p_queueing_lock, p_args, p_scheduled_at, p_unique_key,
            p_tenant_id, p_noted)
    ON CONFLICT DO NOTHING RETURNING j.id, j.enqueued_at INTO id, enqueued_at;
    is_written := id IS NOT NULL;
END $$;

-- End attempts: write their history and move their jobs on, in one statement. Returns the ids that were really this
-- worker's under these claim numbers; for any other id nothing was changed (the fence).
--
-- verdict: succeeded, aborted  the job leaves the table
--          failed              the job stays as a dead letter
--          retry               waits delay_s, one attempt used
--          crashed             waits, no attempt used, crash_count + 1
--          released            waits delay_s, nothing used, no history (it never ran, or was handed back)
CREATE OR REPLACE FUNCTION youtility_tasks_finish_v2(p_worker_id bigint, p_host text, p_ended jsonb, p_looks integer DEFAULT 2)
RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
-- The table is always read by a list of ids, never by a join alone: a plan that was made when the queue was short would
-- hash all of a long one.
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
         WHERE j.id = ANY (ARRAY(SELECT n.id FROM ended n)) AND j.status = 'doing' AND j.worker_id = p_worker_id AND j.claim_number = e.claim_number
         ORDER BY j.id FOR UPDATE OF j
    ), left_table AS (
        DELETE FROM procrastinate_jobs j
         WHERE j.id = ANY (ARRAY(SELECT h.id FROM held h WHERE h.verdict IN ('succeeded', 'aborted')))
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
           AND j.id = ANY (ARRAY(SELECT n.id FROM held n WHERE n.verdict IN ('failed', 'retry', 'crashed', 'released')))
    ), recorded AS (
        INSERT INTO youtility_tasks_history (
            job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, worker_id, host, pid, enqueued_at,
            scheduled_at, started_at, finished_at, wait_ms, run_ms, cpu_ms, peak_memory_kib, status, outcome, is_final,
            args, result, error_class, error_message, traceback, output)
        SELECT h.id, h.task_name, h.queue_name, h.tenant_id,
               -- procrastinate takes any integer for a priority
               greatest(-32768, least(32767, 11 - h.priority::bigint)), h.attempts + 1, h.claim_number, p_worker_id,
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
