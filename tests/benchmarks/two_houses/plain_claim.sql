-- A claim without turns, defined here and shipped nowhere: by priority, then by id, whoever's jobs they are. Due jobs and locks are
-- looked at as ever; nothing is remembered between claims, and nobody asks whether a tenant is active. Its index has no tenant in it.
DROP INDEX youtility_tasks_jobs_ready_free;
CREATE INDEX youtility_tasks_jobs_ready_free ON procrastinate_jobs (queue_name, parked_by, (-priority), id)
    WHERE status = 'todo' AND lock IS NULL AND (scheduled_at IS NULL OR parked_by > 0);

CREATE OR REPLACE FUNCTION youtility_tasks_claim_v2(p_queue text, p_worker_id bigint, p_n integer, p_locks boolean DEFAULT true)
RETURNS SETOF procrastinate_jobs LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
SET lock_timeout = '100ms'
AS $$
DECLARE
    instant CONSTANT timestamptz := clock_timestamp();
    ids bigint[];
    others bigint[];
    rows procrastinate_jobs[];
BEGIN
    WITH ready AS (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
         ORDER BY -j.priority, j.id LIMIT p_n FOR UPDATE SKIP LOCKED
    ), due AS (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at <= instant AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
         ORDER BY j.scheduled_at LIMIT p_n FOR UPDATE SKIP LOCKED
    )
    SELECT r.ids, d.others INTO ids, others
      FROM (SELECT array_agg(r.id) AS ids FROM ready r) r, (SELECT array_agg(d.id) AS others FROM due d) d;
    IF p_locks THEN
        others := others || youtility_tasks_lock_heads_v2(p_queue, instant, p_n, ids IS NULL AND others IS NULL);
    END IF;
    IF others IS NOT NULL THEN
        ids := (ids || ARRAY(SELECT j.id FROM procrastinate_jobs j
                              WHERE j.id = ANY (others) AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= instant)
                                FOR UPDATE SKIP LOCKED))[:p_n];
    END IF;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    WITH taken AS (
        UPDATE procrastinate_jobs j
           SET status = 'doing', worker_id = p_worker_id, claim_number = j.claim_number + 1, claimed_at = clock_timestamp()
          FROM unnest(ids) WITH ORDINALITY AS u(id, n)
         WHERE j.id = u.id RETURNING u.n, j)
    SELECT array_agg(t.j ORDER BY t.n) INTO rows FROM taken t;
    RETURN QUERY SELECT r.* FROM unnest(rows) r;
EXCEPTION WHEN unique_violation OR lock_not_available THEN
    IF NOT p_locks THEN
        RAISE;
    END IF;
    RETURN QUERY SELECT * FROM youtility_tasks_claim_v2(p_queue, p_worker_id, p_n, false);
WHEN foreign_key_violation THEN
    RETURN;
END $$;
