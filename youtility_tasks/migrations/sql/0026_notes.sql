-- What a job has noted of its way. In its own row, which the finish deletes: so a job that notes nothing costs nothing, and what
-- one has noted goes with it. No index names these columns.
ALTER TABLE procrastinate_jobs ADD COLUMN progress jsonb, ADD COLUMN progress_note text, ADD COLUMN checkpoint jsonb;

-- How far jobs are: p_told is [[job id, claim number, done, total, note], ...]. Only of those that are this worker's under these claim
-- numbers (the fence). One that somebody holds is left out: the next telling is half a second away, and a worker waits for nobody's
-- transaction.
CREATE FUNCTION youtility_tasks_progress_v1(p_worker_id bigint, p_told jsonb) RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    written bigint[];
BEGIN
    WITH told AS MATERIALIZED (
        SELECT (t.value ->> 0)::bigint AS id, (t.value ->> 1)::bigint AS claim_number,
               jsonb_build_object('claim_number', t.value -> 1, 'done', t.value -> 2, 'total', t.value -> 3, 'at', clock_timestamp()) AS progress,
               t.value ->> 4 AS note
          FROM jsonb_array_elements(p_told) t
    ), held AS MATERIALIZED (
        SELECT j.id, t.progress, t.note FROM told t JOIN procrastinate_jobs j ON j.id = t.id
         WHERE j.id = ANY (ARRAY(SELECT n.id FROM told n)) AND j.status = 'doing' AND j.worker_id = p_worker_id AND j.claim_number = t.claim_number
         ORDER BY j.id FOR NO KEY UPDATE OF j SKIP LOCKED
    ), noted AS (
        UPDATE procrastinate_jobs j SET progress = h.progress, progress_note = nullif(h.note, '')
          FROM held h WHERE j.id = h.id AND j.id = ANY (ARRAY(SELECT n.id FROM held n)) RETURNING j.id
    )
    SELECT array_agg(n.id) INTO written FROM noted n;
    RETURN coalesce(written, '{}');
END $$;

-- Where a job's next attempt goes on. False: the job is not this worker's under this claim number any more, and nothing was written.
CREATE FUNCTION youtility_tasks_checkpoint_v1(p_job_id bigint, p_worker_id bigint, p_claim_number bigint, p_data jsonb)
RETURNS boolean LANGUAGE plpgsql
AS $$
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(NULL);
BEGIN
    UPDATE procrastinate_jobs j SET checkpoint = nullif(p_data, 'null')
     WHERE j.id = p_job_id AND j.status = 'doing' AND j.worker_id = p_worker_id AND j.claim_number = p_claim_number
       AND (theirs IS NULL OR j.tenant_id = theirs);
    RETURN FOUND;
END $$;

-- With its owner's rights, as those of 0015: a task may change no job.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_checkpoint_v1(bigint,bigint,bigint,jsonb) SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION youtility_tasks_checkpoint_v1(bigint,bigint,bigint,jsonb) FROM PUBLIC;
END $do$;
