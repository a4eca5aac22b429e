-- Jobs that run under nobody's lease: a stock worker holds them and has been silent for longer than procrastinate itself
-- allows (30 s), or whoever held them was pruned from procrastinate's table, as each stock worker does when it starts and
-- `prune_stalled_workers` does by hand. Nothing of procrastinate's puts them back. They are entered under a worker that is
-- known to be silent, and the rescue treats them as it treats our own.
CREATE INDEX youtility_tasks_jobs_strays ON procrastinate_jobs (id) WHERE status = 'doing' AND worker_id IS NULL;

CREATE FUNCTION youtility_tasks_enter_strays_v1(p_silence_s double precision)
RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    long_ago CONSTANT timestamptz := clock_timestamp() - p_silence_s * interval '1 second';
    strays bigint[];
    nobody bigint;
BEGIN
    INSERT INTO youtility_tasks_taskworker (id, host, pid, queue_name, status, slots, children, started_at, heartbeat_at)
    SELECT w.id, 'procrastinate', 0, '', 'running', 0, '[]', w.last_heartbeat, w.last_heartbeat
      FROM procrastinate_workers w
     WHERE w.last_heartbeat < long_ago
     ORDER BY w.id  -- in one order for everybody: two rescuers wait, and never for each other
    ON CONFLICT DO NOTHING;
    SELECT array_agg(s.id) INTO strays FROM (
        SELECT j.id FROM procrastinate_jobs j WHERE j.status = 'doing' AND j.worker_id IS NULL
         ORDER BY j.id LIMIT 1000 FOR UPDATE SKIP LOCKED) s;
    IF strays IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO procrastinate_workers (last_heartbeat) VALUES (long_ago) RETURNING id INTO nobody;
    INSERT INTO youtility_tasks_taskworker (id, host, pid, queue_name, status, slots, children, started_at, heartbeat_at)
    VALUES (nobody, 'procrastinate', 0, '', 'running', 0, '[]', long_ago, long_ago);
    UPDATE procrastinate_jobs j SET worker_id = nobody WHERE j.id = ANY (strays);
END $$;

-- Rescue as before, strays too. Stock workers that are heard of are left alone.
CREATE FUNCTION youtility_tasks_rescue_all_v1(p_lease_s double precision, p_stock_silence_s double precision, p_max_rescues integer)
RETURNS TABLE (worker_id bigint, job_id bigint, task_name varchar, verdict text) LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM youtility_tasks_enter_strays_v1(greatest(p_stock_silence_s, p_lease_s));
    RETURN QUERY SELECT r.worker_id, r.job_id, r.task_name, r.verdict FROM youtility_tasks_rescue_v1(p_lease_s, p_max_rescues) r;
END $$;
