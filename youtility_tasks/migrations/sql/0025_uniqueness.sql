-- What stands for later calls of the same key, beyond 0002 (`unique_key`: while it waits or runs) and procrastinate's queueing lock
-- (while it waits): a dead letter as well, and a period that outlives the job's row (youtility_tasks_uniquekey).
ALTER TABLE procrastinate_jobs ADD COLUMN done_key text;
CREATE UNIQUE INDEX youtility_tasks_jobs_done_key ON procrastinate_jobs (tenant_id, task_name, done_key)
    WHERE done_key IS NOT NULL AND status IN ('todo', 'doing', 'failed');

-- Give a waiting job of the caller's tenant the arguments, priority and time of a later call, if it still waits under that call's
-- key; whether it did. One that waits for a retry starts afresh, as if it were enqueued now: the attempts it has used were for other
-- arguments. A debounced one moves to a window from now, but no further than its first call allows.
-- With its owner's rights, so it asks itself what the policies of a new job ask.
CREATE FUNCTION youtility_tasks_replace_v1(p_job_id bigint, p_call jsonb)
RETURNS boolean LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    c record;
    theirs integer;
    becomes record;
BEGIN
    SELECT * INTO c FROM jsonb_to_record(p_call) AS r(
        tenant_id integer, task_name text, priority integer, lock text, args text, scheduled_at timestamptz, expires_at timestamptz,
        queueing_lock text, unique_key text, done_key text, debounce_s float8, max_wait_s float8);
    theirs := youtility_tasks_scope_v1(c.tenant_id);
    IF (coalesce(starts_with(c.lock, theirs || ':'), true) AND c.priority BETWEEN 1 AND 10
        AND coalesce(date_part('year', c.scheduled_at) BETWEEN 1 AND 9998, true)
        AND coalesce(c.debounce_s, 0) BETWEEN 0 AND 31622400 AND coalesce(c.max_wait_s, 0) BETWEEN 0 AND 31622400) IS NOT TRUE THEN
        RAISE insufficient_privilege USING MESSAGE = 'such a lock, priority or time is not for a job of this tenant';
    END IF;
    WITH waiting AS MATERIALIZED (
        SELECT j.id, j.scheduled_at FROM procrastinate_jobs j
         WHERE j.id = p_job_id AND j.tenant_id = theirs AND j.task_name = c.task_name AND j.status = 'todo' AND j.step_id IS NULL
           AND (c.queueing_lock IS NULL OR j.queueing_lock = c.queueing_lock)
           AND (c.unique_key IS NULL OR j.unique_key = c.unique_key) AND (c.done_key IS NULL OR j.done_key = c.done_key)
           FOR UPDATE
    )
    UPDATE procrastinate_jobs j
       SET args = c.args::jsonb, priority = c.priority, lock = c.lock, expires_at = c.expires_at, parked_by = 0,
           scheduled_at = CASE WHEN c.debounce_s IS NULL THEN c.scheduled_at
                               ELSE least(clock_timestamp() + c.debounce_s * interval '1 second',
                                          CASE WHEN j.attempts > 0 OR j.crash_count > 0 THEN clock_timestamp() ELSE j.enqueued_at END
                                          + c.max_wait_s * interval '1 second') END,
           enqueued_at = CASE WHEN j.attempts > 0 OR j.crash_count > 0 THEN clock_timestamp() ELSE j.enqueued_at END,
           attempts = 0, crash_count = 0, rescue_count = 0
      FROM waiting w
     WHERE j.id = w.id
    RETURNING j.queue_name, j.scheduled_at, w.scheduled_at AS was INTO becomes;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF coalesce(becomes.scheduled_at, '-infinity') < coalesce(becomes.was, '-infinity') THEN
        PERFORM pg_notify('procrastinate_queue_v1#' || becomes.queue_name, '{"type": "job_inserted", "job_id": 0}');
    END IF;
    RETURN true;
END $$;

-- As youtility_tasks_enqueue_one_v1, for calls that may be one with others: each becomes a job, or is answered with the job that holds
-- its key, which takes over what the call says if the call replaces. All of it in one round trip; a loser learns the id whatever
-- ended meanwhile. The keys are taken in one order by everybody, so that two batches wait, and never for each other.
-- is_written NULL: the key changed hands each time that it was looked at.
CREATE FUNCTION youtility_tasks_enqueue_unique_v1(p_calls jsonb, p_noted boolean, p_token text)
RETURNS TABLE (n integer, id bigint, enqueued_at timestamptz, is_written boolean, tenant_is_known boolean, is_replaced boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    most_looks CONSTANT integer := 100;
    call jsonb;
    c record;
    is_taken boolean;
    holder bigint;
BEGIN
    IF p_token IS NOT NULL THEN
        PERFORM set_config('youtility_tasks.token', p_token, true);
    END IF;
    FOR call IN
        SELECT e.value FROM jsonb_array_elements(p_calls) e(value)
         ORDER BY e.value ->> 'period_key', e.value ->> 'queueing_lock', e.value ->> 'unique_key', e.value ->> 'done_key',
                  (e.value ->> 'n')::integer LOOP
        SELECT * INTO c FROM jsonb_to_record(call) AS r(
            n integer, queue_name text, task_name text, priority integer, lock text, queueing_lock text, args text,
            scheduled_at timestamptz, unique_key text, tenant_id integer, expires_at timestamptz, done_key text, period_key text,
            period_s float8, replaces boolean, debounce_s float8);
        n := c.n;
        id := NULL;
        enqueued_at := NULL;
        is_written := NULL;
        is_replaced := false;
        tenant_is_known := c.tenant_id = 0
            OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = c.tenant_id AND t.is_active);
        IF NOT tenant_is_known THEN
            is_written := false;
            RETURN NEXT;
            CONTINUE;
        END IF;
        FOR look IN 1 .. most_looks LOOP
            holder := NULL;
            is_taken := false;
            IF c.period_key IS NOT NULL THEN
                SELECT k.job_id INTO holder FROM youtility_tasks_uniquekey k
                 WHERE k.tenant_id = c.tenant_id AND k.task_name = c.task_name AND k.key = c.period_key
                   AND k.held_until > clock_timestamp();
                IF holder IS NULL THEN
                    INSERT INTO youtility_tasks_uniquekey AS k (tenant_id, task_name, key, job_id, held_until)
                    VALUES (c.tenant_id, c.task_name, c.period_key, 0, clock_timestamp() + c.period_s * interval '1 second')
                    ON CONFLICT (tenant_id, task_name, key) DO UPDATE SET job_id = 0, held_until = excluded.held_until
                     WHERE k.held_until <= clock_timestamp();
                    is_taken := FOUND;
                    CONTINUE WHEN NOT is_taken;  -- somebody has taken it since the look above
                END IF;
            END IF;
            IF holder IS NULL THEN
                INSERT INTO procrastinate_jobs
                       (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, done_key, tenant_id,
                        noted, expires_at)
                VALUES (c.queue_name, c.task_name, c.priority, c.lock, c.queueing_lock, c.args::jsonb,
                        CASE WHEN c.debounce_s IS NULL THEN c.scheduled_at
                             ELSE clock_timestamp() + c.debounce_s * interval '1 second' END,
                        c.unique_key, c.done_key, c.tenant_id, p_noted, c.expires_at)
                ON CONFLICT DO NOTHING;
                IF FOUND THEN
                    holder := currval('procrastinate_jobs_id_seq');
                    enqueued_at := now();  -- the column's default
                    is_written := true;
                    IF is_taken THEN
                        UPDATE youtility_tasks_uniquekey k SET job_id = holder
                         WHERE k.tenant_id = c.tenant_id AND k.task_name = c.task_name AND k.key = c.period_key;
                    END IF;
                    EXIT;
                END IF;
                IF is_taken THEN  -- another job holds the other key: this call begins no period
                    DELETE FROM youtility_tasks_uniquekey k
                     WHERE k.tenant_id = c.tenant_id AND k.task_name = c.task_name AND k.key = c.period_key;
                END IF;
                -- One question an index.
                IF c.queueing_lock IS NOT NULL THEN
                    SELECT j.id INTO holder FROM procrastinate_jobs j WHERE j.queueing_lock = c.queueing_lock AND j.status = 'todo';
                ELSIF c.unique_key IS NOT NULL THEN
                    SELECT j.id INTO holder FROM procrastinate_jobs j
                     WHERE j.tenant_id = c.tenant_id AND j.task_name = c.task_name AND j.unique_key = c.unique_key
                       AND j.status IN ('todo', 'doing');
                ELSE
                    SELECT j.id INTO holder FROM procrastinate_jobs j
                     WHERE j.tenant_id = c.tenant_id AND j.task_name = c.task_name AND j.done_key = c.done_key
                       AND j.status IN ('todo', 'doing', 'failed');
                END IF;
                CONTINUE WHEN holder IS NULL;  -- it has let go since
            END IF;
            IF c.replaces THEN
                is_replaced := youtility_tasks_replace_v1(holder, call);
                -- Claimed since: one that runs holds a lock for waiting no longer.
                CONTINUE WHEN NOT is_replaced AND c.queueing_lock IS NOT NULL;
            END IF;
            is_written := false;
            EXIT;
        END LOOP;
        id := holder;
        RETURN NEXT;
    END LOOP;
END $$;

-- As those of 0015: a tenant may change none of its jobs otherwise.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_replace_v1(bigint, jsonb) SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp',
                   current_schema());
    REVOKE ALL ON FUNCTION youtility_tasks_replace_v1(bigint, jsonb) FROM PUBLIC;
END $do$;
