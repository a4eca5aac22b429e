-- What the database needs to know a tenant by itself, and the doors through which a role without rights on a table does
-- what it may. Row level security, policies and grants are applied by `setup_task_queue` (tenancy/plan.py), not here.

-- The keys with which tenant tokens are signed, as HMAC's two pads (RFC 2104): the core has sha256() and no hmac().
-- Nobody is ever granted anything on it; the checking function reads it as its owner.
CREATE TABLE youtility_tasks_keys (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{8,32}$'),
    inner_pad bytea NOT NULL CHECK (length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (length(outer_pad) = 64),
    added_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
REVOKE ALL ON youtility_tasks_keys FROM PUBLIC;

-- The tenant of this transaction, as its token proves: v1.<key id>.<tenant>.<expires, unix s>.<hmac-sha256, hex>.
-- NULL without a token. A token that is forged or over is an error, not "nobody": whoever sends one has to learn of it.
-- Policies ask `(SELECT youtility_tasks_tenant_v1())`, which the planner runs once a statement and not once a row.
CREATE FUNCTION youtility_tasks_tenant_v1()
RETURNS integer LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    token CONSTANT text := current_setting('youtility_tasks.token', true);
    said text[];
    signature text;
BEGIN
    IF token IS NULL OR token = '' THEN
        RETURN NULL;
    END IF;
    said := string_to_array(token, '.');
    SELECT encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(left(token, -65), 'UTF8'))), 'hex') INTO signature
      FROM youtility_tasks_keys k WHERE k.id = said[2];
    IF (cardinality(said) = 5 AND said[1] = 'v1' AND said[5] = signature) IS NOT TRUE THEN
        RAISE insufficient_privilege USING MESSAGE = 'the tenant token is not signed with a key of this database',
            HINT = 'Processes and `setup_task_queue` must share one tenant_key (or SECRET_KEY); run it after a change.';
    END IF;
    IF said[4]::bigint < extract(epoch FROM clock_timestamp()) THEN
        RAISE insufficient_privilege USING MESSAGE = 'the tenant token has expired',
            HINT = 'Tokens are renewed by the process that sends them: compare its clock with the database''s (doctor).';
    END IF;
    RETURN said[3]::integer;
END $$;

-- Whoever may EXECUTE this acts for every tenant; it is asked for by has_function_privilege and never called.
CREATE FUNCTION youtility_tasks_any_tenant_v1() RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
REVOKE ALL ON FUNCTION youtility_tasks_any_tenant_v1 FROM PUBLIC;

-- Whose rows the caller of an act may touch, asked for p_tenant_id (NULL: everybody's); NULL is every tenant's.
CREATE FUNCTION youtility_tasks_scope_v1(p_tenant_id integer)
RETURNS integer LANGUAGE plpgsql STABLE
AS $$
DECLARE
    verified CONSTANT integer := youtility_tasks_tenant_v1();
BEGIN
    IF verified IS NOT NULL AND coalesce(p_tenant_id, verified) = verified THEN
        RETURN verified;
    END IF;
    -- Not current_user: that is the owner of the function that asks.
    IF verified IS NULL AND has_function_privilege(session_user, 'youtility_tasks_any_tenant_v1()', 'EXECUTE') THEN
        RETURN p_tenant_id;
    END IF;
    RAISE insufficient_privilege USING MESSAGE = 'no tenant is set for this act, or another one',
        HINT = 'Wrap it in `with tenant(id):`, or name --all-tenants on the command line.';
END $$;

ALTER TABLE procrastinate_jobs ALTER COLUMN tenant_id SET DEFAULT coalesce(youtility_tasks_tenant_v1(), 0);

-- A tenant's own dead letters. Under row level security a condition on the enum `status` is no way into an index (its
-- operator is not leakproof), and without this one its page walked the whole queue: 42 ms with 200,000 jobs waiting.
CREATE INDEX youtility_tasks_jobs_dead_of_tenant ON procrastinate_jobs (tenant_id, id) WHERE status = 'failed';

-- As youtility_tasks_enqueue_one_v1, for the first statement of a transaction, or one by itself: it brings the token along.
-- No RETURNING: under row level security that asks for the token once more (5 us of 170).
CREATE FUNCTION youtility_tasks_enqueue_signed_v1(
    p_queue_name text, p_task_name text, p_priority integer, p_lock text, p_queueing_lock text, p_args jsonb,
    p_scheduled_at timestamptz, p_unique_key text, p_tenant_id integer, p_noted boolean, p_token text,
    OUT n integer, OUT id bigint, OUT enqueued_at timestamptz, OUT is_written boolean, OUT tenant_is_known boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    token CONSTANT text := set_config('youtility_tasks.token', p_token, true);
BEGIN
    n := 1;
    is_written := false;
    tenant_is_known := p_tenant_id = 0
        OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = p_tenant_id AND t.is_active);
    IF NOT tenant_is_known THEN
        RETURN;
    END IF;
    INSERT INTO procrastinate_jobs
           (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, noted)
    VALUES (p_queue_name, p_task_name, p_priority, p_lock, p_queueing_lock, p_args, p_scheduled_at, p_unique_key,
            p_tenant_id, p_noted)
    ON CONFLICT DO NOTHING;
    is_written := FOUND;
    IF is_written THEN
        id := currval('procrastinate_jobs_id_seq');
        enqueued_at := now();  -- the column's default
    END IF;
END $$;

-- As in 0008, but ids are drawn by the column's default: who may name one learns by trying which of another's jobs exist.
CREATE OR REPLACE FUNCTION youtility_tasks_enqueue_v1(
    p_queue_names text[], p_task_names text[], p_priorities integer[], p_locks text[], p_queueing_locks text[], p_args text[],
    p_scheduled_ats timestamptz[], p_unique_keys text[], p_tenant_ids integer[], p_noted boolean)
RETURNS TABLE (n integer, id bigint, enqueued_at timestamptz, is_written boolean, tenant_is_known boolean) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    known CONSTANT integer[] := ARRAY(SELECT t.id FROM youtility_tasks_tenant t WHERE t.is_active AND t.id = ANY (p_tenant_ids)) || 0;
    ids bigint[];
BEGIN
    WITH written AS (
        INSERT INTO procrastinate_jobs
               (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, noted)
        SELECT w.queue_name, w.task_name, w.priority, w.lock, w.queueing_lock, w.args::jsonb, w.scheduled_at, w.unique_key,
               w.tenant_id, p_noted
          FROM unnest(p_queue_names, p_task_names, p_priorities, p_locks, p_queueing_locks, p_args, p_scheduled_ats, p_unique_keys,
                      p_tenant_ids)
               WITH ORDINALITY AS w(queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, n)
         WHERE w.tenant_id = ANY (known)
         ORDER BY w.queueing_lock, w.unique_key, w.n  -- in one order for everybody: two batches wait, and never for each other
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT coalesce(array_agg(x.id ORDER BY x.id), '{}') INTO ids FROM written x;

    IF cardinality(ids) = (SELECT count(*) FROM unnest(p_tenant_ids) t WHERE t = ANY (known)) THEN
        -- Nothing was in the way, and defaults are drawn in the order of the rows.
        RETURN QUERY
        SELECT w.n::integer, CASE WHEN w.is_known THEN ids[w.k] END, CASE WHEN w.is_known THEN now() END, w.is_known, w.is_known
          FROM (SELECT v.n, v.tenant_id = ANY (known) AS is_known,
                       row_number() OVER (PARTITION BY v.tenant_id = ANY (known) ORDER BY v.queueing_lock, v.unique_key, v.n) AS k
                  FROM unnest(p_queueing_locks, p_unique_keys, p_tenant_ids)
                       WITH ORDINALITY AS v(queueing_lock, unique_key, tenant_id, n)) w
         ORDER BY w.n;
        RETURN;
    END IF;
    -- Which of them were written shows what they hold; which of two that are alike is no matter.
    RETURN QUERY
    SELECT w.n::integer, x.id, CASE WHEN x.id IS NOT NULL THEN now() END, x.id IS NOT NULL, w.tenant_id = ANY (known)
      FROM (SELECT v.n, v.tenant_id, v.call, row_number() OVER (PARTITION BY v.call ORDER BY v.n) AS k
              FROM (SELECT u.n, u.tenant_id, jsonb_build_array(u.tenant_id, u.task_name, u.queue_name, u.priority, u.lock, u.queueing_lock,
                                                               u.unique_key, u.scheduled_at, u.args::jsonb) AS call
                      FROM unnest(p_queue_names, p_task_names, p_priorities, p_locks, p_queueing_locks, p_args, p_scheduled_ats,
                                  p_unique_keys, p_tenant_ids)
                           WITH ORDINALITY AS u(queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key,
                                                tenant_id, n)) v) w
      LEFT JOIN (SELECT y.id, y.call, row_number() OVER (PARTITION BY y.call ORDER BY y.id) AS k
                   FROM (SELECT j.id, jsonb_build_array(j.tenant_id, j.task_name, j.queue_name, j.priority, j.lock, j.queueing_lock,
                                                        j.unique_key, j.scheduled_at, j.args) AS call
                           FROM procrastinate_jobs j WHERE j.id = ANY (ids)) y) x ON x.call = w.call AND x.k = w.k
     ORDER BY w.n;
END $$;

-- Whoever listens hears of every tenant, so no id goes out: our workers ask which jobs are to end, and a job of procrastinate's
-- own (`noted`) is told of as ever.
ALTER TABLE procrastinate_jobs DISABLE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1;
CREATE TRIGGER youtility_tasks_notify_aborted AFTER UPDATE OF abort_requested ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.noted AND NOT OLD.abort_requested AND NEW.abort_requested AND NEW.status = 'doing')
    EXECUTE FUNCTION procrastinate_notify_queue_abort_job_v1();
CREATE FUNCTION youtility_tasks_tell_abort_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, '{"type": "abort_job_requested", "job_id": 0}');
    RETURN NULL;
END $$;
CREATE TRIGGER youtility_tasks_tell_abort AFTER UPDATE OF abort_requested ON procrastinate_jobs
    FOR EACH ROW WHEN (NOT NEW.noted AND NOT OLD.abort_requested AND NEW.abort_requested AND NEW.status = 'doing')
    EXECUTE FUNCTION youtility_tasks_tell_abort_v1();

-- Take waiting jobs, or dead letters, off the queue and record that they were cancelled. Rows are locked in the order of
-- their ids, so that two people who cancel the same jobs cannot deadlock.
CREATE FUNCTION youtility_tasks_cancel_v1(p_job_ids bigint[], p_from_status text, p_reason text, p_tenant_id integer)
RETURNS TABLE (job_id bigint, task_name varchar, queue_name varchar, tenant_id integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
BEGIN
    RETURN QUERY
    WITH chosen AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.id = ANY (p_job_ids) AND j.status = p_from_status::procrastinate_job_status
           AND p_from_status IN ('todo', 'failed') AND (theirs IS NULL OR j.tenant_id = theirs)
         ORDER BY j.id FOR UPDATE
    ), gone AS (
        DELETE FROM procrastinate_jobs j WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c)) RETURNING j.*
    ), recorded AS (
        INSERT INTO youtility_tasks_history (
            job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, scheduled_at, finished_at,
            status, outcome, is_final, args, error_message)
        SELECT g.id, g.task_name, g.queue_name, g.tenant_id, greatest(-32768, least(32767, 11 - g.priority::bigint)),
               g.attempts + 1, g.claim_number, g.enqueued_at, g.scheduled_at, clock_timestamp(), 'cancelled', 'cancelled', true,
               g.args, p_reason
          FROM gone g
    )
    SELECT g.id, g.task_name, g.queue_name, g.tenant_id FROM gone g ORDER BY g.id;
END $$;

-- Ask the workers that run these jobs to end them; the change of the column notifies each job's queue.
CREATE FUNCTION youtility_tasks_abort_v1(p_job_ids bigint[], p_tenant_id integer)
RETURNS TABLE (job_id bigint, task_name varchar, queue_name varchar, tenant_id integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
BEGIN
    RETURN QUERY
    WITH chosen AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.id = ANY (p_job_ids) AND j.status = 'doing' AND (theirs IS NULL OR j.tenant_id = theirs)
         ORDER BY j.id FOR UPDATE
    )
    UPDATE procrastinate_jobs j SET abort_requested = true WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c))
    RETURNING j.id, j.task_name, j.queue_name, j.tenant_id;
END $$;

-- Give dead letters of active tenants a fresh set of attempts. A queueing lock is dropped when another job already waits under it. The claim
-- number rises, because a final attempt with the job's own number means that the job has ended; it is due from now on, so
-- that its wait does not count the days that it lay dead.
CREATE FUNCTION youtility_tasks_retry_v1(p_job_ids bigint[], p_tenant_id integer)
RETURNS TABLE (job_id bigint, task_name varchar, queue_name varchar, tenant_id integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
BEGIN
    RETURN QUERY
    WITH chosen AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.id = ANY (p_job_ids) AND j.status = 'failed' AND (theirs IS NULL OR j.tenant_id = theirs)
           AND NOT EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = j.tenant_id AND NOT t.is_active)
         ORDER BY j.id FOR UPDATE
    )
    UPDATE procrastinate_jobs j
       SET status = 'todo', attempts = 0, crash_count = 0, rescue_count = 0, scheduled_at = clock_timestamp(), failed_at = NULL,
           worker_id = NULL, abort_requested = false, claim_number = j.claim_number + 1,
           queueing_lock = CASE WHEN (SELECT 1 FROM procrastinate_jobs o
                                       WHERE o.queueing_lock = j.queueing_lock AND o.status = 'todo' LIMIT 1) IS NULL
                                THEN j.queueing_lock END
     WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c))
    RETURNING j.id, j.task_name, j.queue_name, j.tenant_id;
END $$;

-- Seconds until the queue's next future job is due, NULL when there is none; and whether a due job of the queue waits for a
-- lock under which another worker runs one, whose end wakes nobody here. A job that came due in the last second counts, as
-- the claim just before may have been too early for it; one that is overdue for longer waits for a lock, not for time.
-- A function, so that sequential scans can be off: for a role under row level security the planner may not use what it
-- knows of `status` (the enum's operator is not leakproof), and read the whole queue to find the few that run.
CREATE FUNCTION youtility_tasks_next_due_v1(p_queue text, p_worker_id bigint, OUT due_s double precision, OUT waits_for_lock boolean)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    -- A variable, since clock_timestamp() itself cannot bound an index scan.
    recent CONSTANT timestamptz := clock_timestamp() - interval '1 second';
BEGIN
    -- One question an index: those of jobs with a lock and without are apart.
    due_s := extract(epoch FROM least(
        (SELECT j.scheduled_at FROM procrastinate_jobs j
          WHERE j.queue_name = p_queue AND j.status = 'todo' AND j.lock IS NULL AND j.parked_by = 0 AND j.scheduled_at > recent
          ORDER BY j.scheduled_at LIMIT 1),
        (SELECT j.scheduled_at FROM procrastinate_jobs j
          WHERE j.queue_name = p_queue AND j.status = 'todo' AND j.lock IS NOT NULL AND j.scheduled_at > recent
          ORDER BY j.scheduled_at LIMIT 1)) - clock_timestamp());
    -- OFFSET and the scalar sub-select: from the few that run to those that wait, never the other way round.
    waits_for_lock := EXISTS (
        SELECT 1 FROM (SELECT d.lock FROM procrastinate_jobs d
                        WHERE d.status = 'doing' AND d.lock IS NOT NULL AND d.worker_id IS DISTINCT FROM p_worker_id OFFSET 0) r
         WHERE (SELECT 1 FROM procrastinate_jobs j
                 WHERE j.queue_name = p_queue AND j.lock = r.lock AND j.status = 'todo'
                   AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp()) LIMIT 1) IS NOT NULL);
END $$;

-- The days that need a partition: today and so many ahead, and those of which DEFAULT holds attempts that nobody may prune yet.
CREATE FUNCTION youtility_tasks_history_gaps_v1(p_now timestamptz, p_ahead integer, p_keep_days integer)
RETURNS SETOF date LANGUAGE sql STABLE
AS $$
    WITH today AS (
        SELECT (p_now AT TIME ZONE 'UTC')::date AS day
    ), wanted AS (
        SELECT t.day + n AS day FROM today t, generate_series(0, p_ahead) n
        UNION
        SELECT DISTINCT (h.finished_at AT TIME ZONE 'UTC')::date FROM today t, youtility_tasks_history_default h
         WHERE h.finished_at >= (t.day - p_keep_days)::timestamp AT TIME ZONE 'UTC' AND h.finished_at < p_now
    )
    SELECT w.day FROM wanted w
     WHERE NOT EXISTS (SELECT 1 FROM youtility_tasks_history_days_v1() d WHERE d.day = w.day) ORDER BY w.day DESC
$$;

-- As in 0005; and a partition is as closed as the table it belongs to: whoever names it goes around the table's policies.
CREATE OR REPLACE FUNCTION youtility_tasks_add_history_day_v1(p_day date, p_most integer DEFAULT 200000)
RETURNS bigint LANGUAGE plpgsql
SET lock_timeout = '1s' SET "TimeZone" = 'UTC'
AS $$
DECLARE
    home text := (SELECT c.relnamespace::regnamespace::text FROM pg_class c WHERE c.oid = 'youtility_tasks_history'::regclass);
    part text := home || '.youtility_tasks_history_' || to_char(p_day, 'YYYYMMDD');
    begins timestamptz := p_day;
    ends timestamptz := p_day + 1;
    moved bigint := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('youtility_tasks.history_days', 0)) OR to_regclass(part) IS NOT NULL
       OR (SELECT count(*) FROM (SELECT FROM youtility_tasks_history_default h
                                  WHERE h.finished_at >= begins AND h.finished_at < ends LIMIT p_most + 1) x) > p_most THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE youtility_tasks_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS'
                   ' INCLUDING INDEXES INCLUDING STORAGE)', part);
    IF (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = 'youtility_tasks_history'::regclass) THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
        EXECUTE format('CREATE POLICY yt_owner ON %s TO %I USING (current_setting(''search_path'') = %L'
                       ' AND coalesce(tenant_id = (SELECT youtility_tasks_tenant_v1()), true))',
                       part, current_user, current_setting('search_path'));
    END IF;
    -- Before looking at the rows: none may come after the look, and none may be seen twice or not at all.
    LOCK TABLE youtility_tasks_history_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH gone AS (DELETE FROM youtility_tasks_history_default h'
                   ' WHERE h.finished_at >= $1 AND h.finished_at < $2 RETURNING h.*) INSERT INTO %s SELECT * FROM gone', part)
      USING begins, ends;
    GET DIAGNOSTICS moved = ROW_COUNT;
    EXECUTE format('ALTER TABLE youtility_tasks_history ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', part, begins, ends);
    RETURN moved;
END $$;

-- The numbers of the queues over all tenants, for the exporter: sums and no rows.
CREATE FUNCTION youtility_tasks_queue_sums_v1()
RETURNS TABLE (queue_name text, todo bigint, doing bigint, scheduled bigint, failed bigint, oldest_seconds double precision)
LANGUAGE sql STABLE AS $$ SELECT * FROM get_queue_statistics() $$;

-- How many jobs have an argument under which key: for an operator, who sees no arguments.
CREATE FUNCTION youtility_tasks_sealed_keys_v1()
RETURNS TABLE (key_id text, job_count bigint) LANGUAGE sql STABLE
AS $$
    SELECT found ->> 'key', count(DISTINCT j.id)
      FROM procrastinate_jobs j, jsonb_path_query(j.args, '$.** ? (exists(@."$sealed") && exists(@."key"))') found
     GROUP BY 1 ORDER BY 1
$$;

-- These run with their owner's rights, in fixed surroundings. Policies for the owner go by this search_path: outside of
-- these functions he sees no row of a tenant, either. (A parameter of our own would say it better, and only a superuser may
-- put one into a function.)
DO $do$
DECLARE
    each record;
BEGIN
    FOR each IN SELECT f.name::regprocedure AS name FROM unnest(ARRAY[
        'youtility_tasks_tenant_v1()',
        'youtility_tasks_scope_v1(integer)',
        'youtility_tasks_cancel_v1(bigint[],text,text,integer)',
        'youtility_tasks_abort_v1(bigint[],integer)',
        'youtility_tasks_retry_v1(bigint[],integer)',
        'youtility_tasks_queue_sums_v1()',
        'youtility_tasks_sealed_keys_v1()',
        'youtility_tasks_history_gaps_v1(timestamptz,integer,integer)',
        'youtility_tasks_add_history_day_v1(date,integer)',
        'youtility_tasks_drop_history_day_v1(date)',
        'youtility_tasks_stop_stragglers_v1(timestamptz)',
        'youtility_tasks_keep_tenant_v1()',
        'cleanup_old_tasks(jsonb,boolean,integer,timestamptz,text,text,integer)']) f(name) LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', each.name, current_schema());
        -- The token proves itself, and a column's default asks for it.
        IF each.name <> 'youtility_tasks_tenant_v1()'::regprocedure THEN
            EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each.name);
        END IF;
    END LOOP;
END $do$;
