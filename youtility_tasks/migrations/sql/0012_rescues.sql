-- The claim's indexes order by `-priority`, and the lowest integer has no negative: a job of that priority could be stored
-- while it was scheduled or running, and then no statement could put it back. A rescue that met it failed for all jobs.
ALTER TABLE procrastinate_jobs DROP CONSTRAINT IF EXISTS youtility_tasks_jobs_priority;
ALTER TABLE procrastinate_jobs ADD CONSTRAINT youtility_tasks_jobs_priority CHECK (priority > -2147483648) NOT VALID;

-- As in 0009, but the history says whether the worker died (its supervisor saw it, and youtility_tasks_register_v2 made it
-- as silent as can be) or was only not heard of. And no plan reads the whole queue: one that was made when the queue was short
-- compared all of a long one with each orphan, and a rescue then took longer than a statement may.
CREATE OR REPLACE FUNCTION youtility_tasks_rescue_v1(p_lease_s double precision, p_max_rescues integer, p_looks integer DEFAULT 2)
RETURNS TABLE (worker_id bigint, job_id bigint, task_name varchar, verdict text) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
-- The table is always read by a list of ids, as in youtility_tasks_finish_v2.
DECLARE
    silent bigint[];
    died bigint[];
    rescued jsonb;
BEGIN
    SELECT array_agg(s.id), array_agg(s.id) FILTER (WHERE s.last_heartbeat = 'epoch') INTO silent, died FROM (
        SELECT w.id, w.last_heartbeat FROM procrastinate_workers w JOIN youtility_tasks_taskworker t ON t.id = w.id
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
         WHERE j.id = ANY (ARRAY(SELECT n.id FROM procrastinate_jobs n WHERE n.worker_id = ANY (silent)))
           AND j.worker_id = ANY (silent) AND j.status = 'doing' ORDER BY j.id FOR UPDATE OF j
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
          FROM orphans o
         WHERE j.id = o.id AND o.verdict <> 'aborted' AND j.id = ANY (ARRAY(SELECT n.id FROM orphans n WHERE n.verdict <> 'aborted'))
    ), left_table AS (
        DELETE FROM procrastinate_jobs j WHERE j.id = ANY (ARRAY(SELECT o.id FROM orphans o WHERE o.verdict = 'aborted'))
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
               'worker ' || o.holder || CASE WHEN o.holder = ANY (died) THEN ' died' ELSE ' fell silent' END
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
