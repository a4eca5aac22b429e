-- The days of the history: made ahead, dropped behind. A day is a UTC day of finished_at, and its partition is named
-- after it. Every function here is one short transaction that gives up after a second's wait for a lock: an ending of a
-- job that queues behind it waits no longer than that, and upkeep tries again.

-- What a stock worker leaves in the table once it is done; ours takes such rows out in the finishing statement.
CREATE INDEX youtility_tasks_jobs_left_behind ON procrastinate_jobs (id) WHERE status IN ('succeeded', 'cancelled', 'aborted');

CREATE FUNCTION youtility_tasks_history_days_v1()
RETURNS TABLE (part regclass, day date) LANGUAGE sql STABLE
AS $$
    SELECT c.oid::regclass, to_date(right(c.relname, 8), 'YYYYMMDD')
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'youtility_tasks_history'::regclass AND c.relname ~ '^youtility_tasks_history_\d{8}$'
     ORDER BY c.relname
$$;

-- Make the partition of a day and move into it what DEFAULT holds of that day; how many rows were moved.
-- NULL: nothing was done, because the day is there, or somebody else is at it, or DEFAULT holds more than p_most rows of
-- it. Such a day stays in DEFAULT: moving it would keep the endings of jobs waiting.
CREATE FUNCTION youtility_tasks_add_history_day_v1(p_day date, p_most integer DEFAULT 200000)
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
    -- Before looking at the rows: none may come after the look, and none may be seen twice or not at all.
    LOCK TABLE youtility_tasks_history_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH gone AS (DELETE FROM youtility_tasks_history_default h'
                   ' WHERE h.finished_at >= $1 AND h.finished_at < $2 RETURNING h.*) INSERT INTO %s SELECT * FROM gone', part)
      USING begins, ends;
    GET DIAGNOSTICS moved = ROW_COUNT;
    EXECUTE format('ALTER TABLE youtility_tasks_history ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', part, begins, ends);
    RETURN moved;
END $$;

-- Drop the partition of a day; the attempts of jobs that are still in their queue move to DEFAULT first: a dead letter
-- keeps them all until somebody retries or discards it. False: the day is not there, or somebody else is at it.
CREATE FUNCTION youtility_tasks_drop_history_day_v1(p_day date)
RETURNS boolean LANGUAGE plpgsql
SET lock_timeout = '1s'
AS $$
DECLARE
    part regclass := (SELECT d.part FROM youtility_tasks_history_days_v1() d WHERE d.day = p_day);
    kept bigint[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('youtility_tasks.history_days', 0)) OR part IS NULL THEN
        RETURN false;
    END IF;
    -- The slow look comes before the lock. No job enters the table under the id of one that has left it, and no attempt
    -- ends in a day that is over: what is not found here needs no keeping later.
    EXECUTE format('SELECT array_agg(DISTINCT h.job_id) FROM %s h JOIN procrastinate_jobs j ON j.id = h.job_id', part) INTO kept;
    EXECUTE format('ALTER TABLE youtility_tasks_history DETACH PARTITION %s', part);
    IF kept IS NOT NULL THEN
        EXECUTE format('INSERT INTO youtility_tasks_history SELECT * FROM %s h WHERE h.job_id = ANY ($1)', part) USING kept;
    END IF;
    EXECUTE format('DROP TABLE %s', part);
    RETURN true;
END $$;

-- How many days an attempt is kept. p_retention: {"days": n, "by_outcome": {outcome: n}, "by_task": {task: n}}; what is
-- said of its task goes before what is said of its outcome.
CREATE FUNCTION youtility_tasks_keep_days_v1(p_retention jsonb, p_outcome text, p_task text)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce((p_retention #>> ARRAY['by_task', p_task])::integer, (p_retention #>> ARRAY['by_outcome', p_outcome])::integer,
                    (p_retention ->> 'days')::integer)
$$;

-- Remove what is past its retention, at most p_most rows of a kind and 16 days in a call; one row for each thing that
-- went. Call it until it returns no row but "postponed" (a day whose lock was not to be had). A dry run tells all that
-- such calls would remove. Retention is counted in whole UTC days, today not among them.
--
-- kind: day        a day of which nothing is to be kept any longer, dropped whole; a row for each outcome (name)
--       attempts   single attempts of other days, by outcome: a task or outcome with a shorter retention than the rest
--       jobs       rows that a stock procrastinate worker finished, by status; `failed` is a dead letter and stays
--       workers    worker processes that are gone, by status
-- With p_outcome, p_task or p_tenant: only such attempts, and no days, jobs or workers.
CREATE FUNCTION cleanup_old_tasks(
    p_retention jsonb DEFAULT '{"days": 365}', p_dry_run boolean DEFAULT false, p_most integer DEFAULT 20000,
    p_now timestamptz DEFAULT clock_timestamp(), p_outcome text DEFAULT NULL, p_task text DEFAULT NULL, p_tenant integer DEFAULT NULL)
RETURNS TABLE (kind text, day date, name text, row_count bigint) LANGUAGE plpgsql
SET jit = off SET plan_cache_mode = force_custom_plan SET "TimeZone" = 'UTC'
AS $$
DECLARE
    of_all boolean := p_outcome IS NULL AND p_task IS NULL AND p_tenant IS NULL;
    today date := p_now::date;
    keeps integer[];
    longest integer;
    shortest integer;
    may_go text := 'h.finished_at < $1 - youtility_tasks_keep_days_v1($2, h.outcome, h.task_name) * interval ''1 day''';
    free text := 'NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = h.job_id)';
    chosen text;
    doomed date[] := '{}';
    each record;
    state text;
    found_some boolean;
    counts jsonb;
    total jsonb := '{}';
    remaining bigint := p_most;
    went bigint;
BEGIN
    SELECT array_agg(v.n::integer ORDER BY v.n::integer) INTO keeps FROM (
        SELECT p_retention ->> 'days' UNION SELECT t.value FROM jsonb_each_text(p_retention -> 'by_outcome') t
        UNION SELECT t.value FROM jsonb_each_text(p_retention -> 'by_task') t) v(n);
    shortest := keeps[1];
    longest := keeps[cardinality(keeps)];
    chosen := may_go || ' AND ($3 IS NULL OR h.outcome = $3) AND ($4 IS NULL OR h.task_name = $4)'
        || ' AND ($5 IS NULL OR h.tenant_id = $5) AND ' || free;

    FOR each IN SELECT d.part, d.day FROM youtility_tasks_history_days_v1() d WHERE d.day + shortest < today
                UNION ALL SELECT 'youtility_tasks_history_default'::regclass, NULL LOOP
        -- A day that was looked through once for the retentions that it is past has nothing more for them. (Attempts whose
        -- dead letter was discarded since then go with the whole day.)
        state := 'looked through: ' || md5(p_retention::text) || ' '
            || (SELECT max(k) FROM unnest(keeps) k WHERE each.day + k < today)::text;
        IF of_all AND each.day IS NOT NULL THEN
            IF each.day + longest < today THEN
                found_some := false;
            ELSIF obj_description(each.part, 'pg_class') = state THEN
                CONTINUE;
            ELSE
                EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s h WHERE NOT (%s))', each.part, may_go)
                   INTO found_some USING today::timestamptz, p_retention;
            END IF;
            IF NOT found_some THEN
                doomed := doomed || each.day;
                CONTINUE;
            END IF;
        END IF;
        CONTINUE WHEN remaining <= 0;
        IF p_dry_run THEN
            EXECUTE format('SELECT jsonb_object_agg(o.outcome, o.n) FROM (SELECT h.outcome, count(*) AS n FROM %s h WHERE %s'
                           ' GROUP BY 1) o', each.part, chosen)
               INTO counts USING today::timestamptz, p_retention, p_outcome, p_task, p_tenant;
        ELSE
            EXECUTE format('WITH gone AS (DELETE FROM %s h WHERE h.ctid = ANY (ARRAY(SELECT h.ctid FROM %s h WHERE %s'
                           ' LIMIT $6 FOR UPDATE SKIP LOCKED)) RETURNING h.outcome)'
                           ' SELECT jsonb_object_agg(o.outcome, o.n) FROM (SELECT g.outcome, count(*) AS n FROM gone g GROUP BY 1) o',
                           each.part, each.part, chosen)
               INTO counts USING today::timestamptz, p_retention, p_outcome, p_task, p_tenant, remaining;
            SELECT remaining - coalesce(sum(c.value::bigint), 0) INTO remaining FROM jsonb_each_text(counts) c;
            IF of_all AND each.day IS NOT NULL AND remaining > 0 THEN
                EXECUTE format('COMMENT ON TABLE %s IS %L', each.part, state);
            END IF;
        END IF;
        SELECT coalesce(jsonb_object_agg(s.key, s.n), '{}') INTO total FROM (
            SELECT u.key, sum(u.value::bigint) AS n
              FROM (SELECT * FROM jsonb_each_text(total) UNION ALL SELECT * FROM jsonb_each_text(counts)) u GROUP BY 1) s;
    END LOOP;
    RETURN QUERY SELECT 'attempts', NULL::date, t.key, t.value::bigint FROM jsonb_each_text(total) t ORDER BY 3;
    IF NOT of_all THEN
        RETURN;
    END IF;

    RETURN QUERY
        WITH old AS MATERIALIZED (
            SELECT j.id, j.status FROM procrastinate_jobs j
             WHERE j.status IN ('succeeded', 'cancelled', 'aborted')
               AND coalesce((SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id), j.enqueued_at)
                   < today - youtility_tasks_keep_days_v1(p_retention, j.status::text, j.task_name) * interval '1 day'
             ORDER BY j.id LIMIT CASE WHEN NOT p_dry_run THEN p_most END FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM procrastinate_jobs j USING old o WHERE j.id = o.id AND NOT p_dry_run
        )
        SELECT 'jobs', NULL::date, o.status::text, count(*) FROM old o GROUP BY 3 ORDER BY 3;
    RETURN QUERY
        WITH old AS MATERIALIZED (
            SELECT w.id, w.status FROM youtility_tasks_taskworker w
             WHERE w.stopped_at < today - (p_retention ->> 'days')::integer * interval '1 day'
             ORDER BY w.id LIMIT CASE WHEN NOT p_dry_run THEN p_most END FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM youtility_tasks_taskworker w USING old o WHERE w.id = o.id AND NOT p_dry_run
        )
        SELECT 'workers', NULL::date, o.status::text, count(*) FROM old o GROUP BY 3 ORDER BY 3;

    -- Last, since its lock stands until the commit; and not while more batches follow: a lock that is not to be had keeps
    -- the endings of jobs waiting for as long as we ask for it, so it is asked for once and not with every batch.
    FOR each IN SELECT d.part, d.day FROM youtility_tasks_history_days_v1() d WHERE d.day = ANY (doomed) AND remaining > 0
                LIMIT CASE WHEN NOT p_dry_run THEN 16 END LOOP
        EXECUTE format('SELECT jsonb_object_agg(o.outcome, o.n) FROM (SELECT h.outcome, count(*) AS n FROM %s h WHERE %s GROUP BY 1) o',
                       each.part, free) INTO counts;
        IF NOT p_dry_run THEN
            BEGIN
                IF NOT youtility_tasks_drop_history_day_v1(each.day) THEN
                    RAISE lock_not_available;
                END IF;
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                RETURN QUERY SELECT 'postponed', each.day, NULL, 0::bigint;
                RETURN;
            END;
        END IF;
        RETURN QUERY SELECT 'day', each.day, c.key, coalesce(c.value::bigint, 0)
                       FROM (SELECT 1) one LEFT JOIN jsonb_each_text(counts) c ON true ORDER BY 3;
    END LOOP;
END $$;

-- What waits, runs and has failed, by queue, now. `todo` is due; `scheduled` waits for its time.
CREATE FUNCTION get_queue_statistics()
RETURNS TABLE (queue_name text, todo bigint, doing bigint, scheduled bigint, failed bigint, oldest_seconds double precision)
LANGUAGE sql STABLE
AS $$
    SELECT j.queue_name::text,
           count(*) FILTER (WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp())),
           count(*) FILTER (WHERE j.status = 'doing'),
           count(*) FILTER (WHERE j.status = 'todo' AND j.scheduled_at > clock_timestamp()),
           count(*) FILTER (WHERE j.status = 'failed'),
           coalesce(extract(epoch FROM clock_timestamp() - min(greatest(j.enqueued_at, j.scheduled_at)) FILTER (
               WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp()))), 0)::double precision
      FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing', 'failed') GROUP BY 1 ORDER BY 1
$$;
