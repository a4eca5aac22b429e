-- Numbers of ended attempts by minute and hour, and totals that never fall.

-- Which transaction wrote an attempt. What has been added up is known by this and not by the clock: an attempt is to be seen once its
-- transaction has committed, which may be long after its finished_at. NULL: written before this step. No index entry for those.
ALTER TABLE youtility_tasks_history ADD COLUMN written_in xid8;
ALTER TABLE youtility_tasks_history ALTER COLUMN written_in SET DEFAULT pg_current_xact_id();
CREATE INDEX youtility_tasks_history_written ON youtility_tasks_history (written_in) WHERE written_in IS NOT NULL;

-- The bucket of a duration: bucket i holds what is above 2^((i-1)/8) ms and at most 2^(i/8) ms, so that its middle is within 4.4 %
-- of each of them, and each power of two ends a bucket. -56 holds all up to 0.0078 ms, 320 all from 33 years.
CREATE FUNCTION youtility_tasks_bucket_v1(p_ms double precision) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN p_ms IS NULL THEN NULL WHEN p_ms <= 0.0078125 THEN -56
                ELSE least(ceil(ln(p_ms) * (8 / ln(2::double precision)) - 1e-9), 320) END::smallint
$$;

-- The sum of two histograms.
CREATE FUNCTION youtility_tasks_add_buckets_v1(
    p_buckets smallint[], p_counts bigint[], p_more_buckets smallint[], p_more_counts bigint[], OUT buckets smallint[], OUT counts bigint[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(array_agg(s.b ORDER BY s.b), '{}'), coalesce(array_agg(s.n ORDER BY s.b), '{}')
      FROM (SELECT u.b, sum(u.n)::bigint AS n
              FROM (SELECT * FROM unnest(p_buckets, p_counts) UNION ALL SELECT * FROM unnest(p_more_buckets, p_more_counts)) u(b, n)
             GROUP BY u.b) s
$$;

-- Nothing is folded yet. What was written before this step is `past`: upkeep goes through it backwards from here.
INSERT INTO youtility_tasks_metricsmark (id, system_id, upto, open, base_id, last_id, folded_at, past_at, past_id)
SELECT 1, s.system_identifier, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, '{}', 0, 0, clock_timestamp(), clock_timestamp(), 9223372036854775807
  FROM pg_control_system() s;

-- Add the attempts that p_which chooses (of youtility_tasks_history h) to their minutes and hours, and with p_in_totals to the totals.
-- p_names: {"tasks": [...], "queues": [...], "tenants": [...], "most": n, "minute_days": n, "hour_days": n}, as for fold below.
CREATE FUNCTION youtility_tasks_add_attempts_v1(p_which text, p_names jsonb, p_in_totals boolean, OUT added bigint, OUT last_id bigint)
LANGUAGE plpgsql SET jit = off SET "TimeZone" = 'UTC'
AS $$
DECLARE
    tasks text[] := ARRAY(SELECT DISTINCT t.task_name FROM youtility_tasks_metricstotal t);
    queues text[] := ARRAY(SELECT DISTINCT t.queue_name FROM youtility_tasks_metricstotal t);
    tenants text[] := ARRAY(SELECT DISTINCT t.tenant FROM youtility_tasks_metricstotal t);
BEGIN
    -- A name that the totals tell apart once stays apart, or its counter would fall; so there are at most twice as many as p_names allows.
    tasks := tasks || ARRAY(SELECT n.v FROM jsonb_array_elements_text(p_names -> 'tasks') n(v) WHERE cardinality(tasks) < (p_names ->> 'most')::integer);
    queues := queues || ARRAY(SELECT n.v FROM jsonb_array_elements_text(p_names -> 'queues') n(v) WHERE cardinality(queues) < (p_names ->> 'most')::integer);
    IF p_names -> 'tenants' = '[]' THEN
        tenants := NULL;
    ELSE
        tenants := tenants || ARRAY(SELECT n.v FROM jsonb_array_elements_text(p_names -> 'tenants') n(v));
    END IF;
    EXECUTE format($add$
WITH ended AS MATERIALIZED (
    SELECT h.id, h.finished_at, h.tenant_id, h.queue_name::text, h.task_name::text, h.outcome::text, h.status, h.is_final, h.wait_ms, h.run_ms,
           h.cpu_ms, h.peak_memory_kib, youtility_tasks_bucket_v1(h.wait_ms) AS wait_bucket, youtility_tasks_bucket_v1(h.run_ms) AS run_bucket
      FROM youtility_tasks_history h WHERE %s
), placed AS MATERIALIZED (
    SELECT p.*, e.outcome, e.status, e.is_final, e.wait_ms, e.run_ms, e.cpu_ms, e.peak_memory_kib, e.wait_bucket, e.run_bucket
      FROM ended e CROSS JOIN LATERAL (VALUES
           (60, date_trunc('minute', e.finished_at), e.tenant_id::text, e.queue_name, e.task_name),
           (3600, date_trunc('hour', e.finished_at), e.tenant_id::text, e.queue_name, e.task_name),
           (0, to_timestamp(0),
            CASE WHEN $3::text[] IS NULL THEN '' WHEN e.tenant_id::text = ANY ($3) THEN e.tenant_id::text ELSE 'other' END,
            CASE WHEN e.queue_name = ANY ($2) THEN e.queue_name ELSE 'other' END,
            CASE WHEN e.task_name = ANY ($1) THEN e.task_name ELSE 'other' END)
           ) p(resolution_s, begins_at, tenant, queue_name, task_name)
     WHERE p.begins_at >= CASE p.resolution_s WHEN 60 THEN $4 WHEN 3600 THEN $5 ELSE to_timestamp(0) END AND (p.resolution_s > 0 OR $6)
), sums AS (
    SELECT p.resolution_s, p.begins_at, p.tenant, p.queue_name, p.task_name, p.outcome, count(*) AS attempt_count,
           count(*) FILTER (WHERE p.status = 'failed' AND NOT p.is_final) AS retried_count,
           count(*) FILTER (WHERE p.status = 'failed' AND p.is_final) AS dead_letter_count,
           count(p.wait_ms) AS wait_count, coalesce(sum(p.wait_ms), 0) AS wait_sum_ms, min(p.wait_ms) AS wait_min_ms, max(p.wait_ms) AS wait_max_ms,
           count(p.run_ms) AS run_count, coalesce(sum(p.run_ms), 0) AS run_sum_ms, min(p.run_ms) AS run_min_ms, max(p.run_ms) AS run_max_ms,
           coalesce(sum(p.cpu_ms), 0) AS cpu_sum_ms, max(p.cpu_ms) AS cpu_max_ms,
           coalesce(sum(p.peak_memory_kib), 0)::bigint AS peak_memory_sum_kib, max(p.peak_memory_kib) AS peak_memory_max_kib
      FROM placed p GROUP BY 1, 2, 3, 4, 5, 6
), histograms AS (
    SELECT b.resolution_s, b.begins_at, b.tenant, b.queue_name, b.task_name, b.outcome,
           coalesce(array_agg(b.bucket ORDER BY b.bucket) FILTER (WHERE b.is_wait), '{}') AS wait_buckets,
           coalesce(array_agg(b.n ORDER BY b.bucket) FILTER (WHERE b.is_wait), '{}') AS wait_counts,
           coalesce(array_agg(b.bucket ORDER BY b.bucket) FILTER (WHERE NOT b.is_wait), '{}') AS run_buckets,
           coalesce(array_agg(b.n ORDER BY b.bucket) FILTER (WHERE NOT b.is_wait), '{}') AS run_counts
      FROM (SELECT p.resolution_s, p.begins_at, p.tenant, p.queue_name, p.task_name, p.outcome, u.is_wait, u.bucket, count(*) AS n
              FROM placed p CROSS JOIN LATERAL (VALUES (true, p.wait_bucket), (false, p.run_bucket)) u(is_wait, bucket)
             WHERE u.bucket IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) b
     GROUP BY 1, 2, 3, 4, 5, 6
), whole AS MATERIALIZED (
    SELECT s.*, coalesce(h.wait_buckets, '{}') AS wait_buckets, coalesce(h.wait_counts, '{}') AS wait_counts,
           coalesce(h.run_buckets, '{}') AS run_buckets, coalesce(h.run_counts, '{}') AS run_counts
      FROM sums s LEFT JOIN histograms h USING (resolution_s, begins_at, tenant, queue_name, task_name, outcome)
), by_time AS (
    INSERT INTO youtility_tasks_taskperformancemetrics AS m (
           tenant_id, resolution_s, begins_at, queue_name, task_name, outcome, attempt_count, retried_count, dead_letter_count,
           wait_count, wait_sum_ms, wait_min_ms, wait_max_ms, wait_buckets, wait_counts,
           run_count, run_sum_ms, run_min_ms, run_max_ms, run_buckets, run_counts,
           cpu_sum_ms, cpu_max_ms, peak_memory_sum_kib, peak_memory_max_kib)
    SELECT w.tenant::integer, w.resolution_s, w.begins_at, w.queue_name, w.task_name, w.outcome, w.attempt_count, w.retried_count, w.dead_letter_count,
           w.wait_count, w.wait_sum_ms, w.wait_min_ms, w.wait_max_ms, w.wait_buckets, w.wait_counts,
           w.run_count, w.run_sum_ms, w.run_min_ms, w.run_max_ms, w.run_buckets, w.run_counts,
           w.cpu_sum_ms, w.cpu_max_ms, w.peak_memory_sum_kib, w.peak_memory_max_kib
      FROM whole w WHERE w.resolution_s > 0
    ON CONFLICT (tenant_id, resolution_s, begins_at, queue_name, task_name, outcome) DO UPDATE
       SET attempt_count = m.attempt_count + excluded.attempt_count, retried_count = m.retried_count + excluded.retried_count,
           dead_letter_count = m.dead_letter_count + excluded.dead_letter_count,
           wait_count = m.wait_count + excluded.wait_count, wait_sum_ms = m.wait_sum_ms + excluded.wait_sum_ms,
           wait_min_ms = least(m.wait_min_ms, excluded.wait_min_ms), wait_max_ms = greatest(m.wait_max_ms, excluded.wait_max_ms),
           run_count = m.run_count + excluded.run_count, run_sum_ms = m.run_sum_ms + excluded.run_sum_ms,
           run_min_ms = least(m.run_min_ms, excluded.run_min_ms), run_max_ms = greatest(m.run_max_ms, excluded.run_max_ms),
           cpu_sum_ms = m.cpu_sum_ms + excluded.cpu_sum_ms, cpu_max_ms = greatest(m.cpu_max_ms, excluded.cpu_max_ms),
           peak_memory_sum_kib = m.peak_memory_sum_kib + excluded.peak_memory_sum_kib,
           peak_memory_max_kib = greatest(m.peak_memory_max_kib, excluded.peak_memory_max_kib),
           (wait_buckets, wait_counts) = (SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(
               m.wait_buckets, m.wait_counts, excluded.wait_buckets, excluded.wait_counts) s),
           (run_buckets, run_counts) = (SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(
               m.run_buckets, m.run_counts, excluded.run_buckets, excluded.run_counts) s)
), totals AS (
    INSERT INTO youtility_tasks_metricstotal AS t (
           tenant, queue_name, task_name, outcome, attempt_count, wait_count, wait_sum_ms, wait_buckets, wait_counts,
           run_count, run_sum_ms, run_buckets, run_counts)
    SELECT w.tenant, w.queue_name, w.task_name, w.outcome, w.attempt_count, w.wait_count, w.wait_sum_ms, w.wait_buckets, w.wait_counts,
           w.run_count, w.run_sum_ms, w.run_buckets, w.run_counts
      FROM whole w WHERE w.resolution_s = 0
    ON CONFLICT (tenant, queue_name, task_name, outcome) DO UPDATE
       SET attempt_count = t.attempt_count + excluded.attempt_count, wait_count = t.wait_count + excluded.wait_count,
           wait_sum_ms = t.wait_sum_ms + excluded.wait_sum_ms, run_count = t.run_count + excluded.run_count,
           run_sum_ms = t.run_sum_ms + excluded.run_sum_ms,
           (wait_buckets, wait_counts) = (SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(
               t.wait_buckets, t.wait_counts, excluded.wait_buckets, excluded.wait_counts) s),
           (run_buckets, run_counts) = (SELECT s.buckets, s.counts FROM youtility_tasks_add_buckets_v1(
               t.run_buckets, t.run_counts, excluded.run_buckets, excluded.run_counts) s)
)
SELECT count(*), max(e.id) FROM ended e
$add$, p_which)
      INTO added, last_id
     USING tasks, queues, tenants,
           date_trunc('minute', clock_timestamp() - (p_names ->> 'minute_days')::integer * interval '1 day'),
           date_trunc('hour', clock_timestamp() - (p_names ->> 'hour_days')::integer * interval '1 day'), p_in_totals;
END $$;

-- Add the attempts that no call has added before: transaction by transaction, until about p_most are read, of at least one transaction.
-- NULL: another session is at it. How many were added, and whether those were all that have committed.
--
-- p_late_s  attempts whose transaction commits later than this after they ended are not found: so far back are history's days looked at
-- p_names   which names the totals tell apart (others are `other`), and how long minutes and hours are kept: older attempts make none
CREATE FUNCTION youtility_tasks_fold_v1(p_most integer, p_late_s double precision, p_names jsonb, OUT added bigint, OUT is_all boolean)
LANGUAGE plpgsql SET jit = off SET "TimeZone" = 'UTC' SET lock_timeout = '1s'
AS $$
DECLARE
    mark youtility_tasks_metricsmark;
    began timestamptz;
    since timestamptz;
    here bigint := (SELECT s.system_identifier FROM pg_control_system() s);
    seen pg_snapshot;
    cut bigint;
    least_one bigint;
    over bigint;
    still_open bigint[];
    which text;
    newest bigint;
BEGIN
    -- Who took the row away, to have the numbers made anew, gets those of the attempts that p_late_s reaches.
    INSERT INTO youtility_tasks_metricsmark (id, system_id, upto, open, base_id, last_id, folded_at)
    SELECT 1, here, 0, '{}', 0, 0, clock_timestamp() WHERE NOT EXISTS (SELECT FROM youtility_tasks_metricsmark)
        ON CONFLICT DO NOTHING;
    SELECT * INTO mark FROM youtility_tasks_metricsmark m WHERE m.id = 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF mark.system_id <> here THEN
        -- A copy of the database on another server, which numbers its transactions anew. What is new since the copy says its id;
        -- for once nobody writes meanwhile, and no number of the old server is left that the new one has yet to reach.
        LOCK TABLE youtility_tasks_history IN SHARE ROW EXCLUSIVE MODE;
    END IF;
    -- In a statement of its own after the lock: it sees at least what the fold before has seen.
    seen := pg_current_snapshot();
    began := clock_timestamp();
    cut := pg_snapshot_xmax(seen)::text::bigint;
    since := mark.folded_at - p_late_s * interval '1 second';
    is_all := true;
    IF mark.system_id <> here THEN
        which := format('h.finished_at >= %L AND (h.id > %s OR h.written_in::text::bigint = ANY (%L::bigint[]))', since, mark.last_id, mark.open);
        mark.base_id := mark.last_id;
    ELSE
        which := format('h.finished_at >= %L AND h.id > %s AND h.written_in >= %L::xid8', since, mark.base_id, mark.upto);
        EXECUTE format('SELECT h.written_in::text::bigint FROM youtility_tasks_history h WHERE %s AND h.written_in < %L::xid8'
                       ' ORDER BY h.written_in OFFSET %s LIMIT 1', which, cut, p_most) INTO over;
        IF over IS NOT NULL THEN
            is_all := false;
            EXECUTE format('SELECT h.written_in::text::bigint FROM youtility_tasks_history h WHERE %s ORDER BY h.written_in LIMIT 1', which)
               INTO least_one;
            cut := greatest(over, least_one + 1);
        END IF;
    END IF;
    -- Of this very transaction nothing is added either: what it writes after this would be missed.
    still_open := ARRAY(SELECT x.x::text::bigint FROM (SELECT pg_snapshot_xip(seen) UNION SELECT pg_current_xact_id()) x(x)
                         WHERE x.x::text::bigint < cut);
    IF mark.system_id = here THEN
        which := format('h.finished_at >= %L AND h.id > %s AND (h.written_in >= %L::xid8 OR h.written_in = ANY (%L::xid8[]))'
                        ' AND h.written_in < %L::xid8 AND h.written_in <> ALL (%L::xid8[])',
                        since, mark.base_id, mark.upto, mark.open, cut, still_open);
    END IF;
    SELECT a.added, a.last_id INTO added, newest FROM youtility_tasks_add_attempts_v1(which, p_names, true) a;
    IF mark.system_id <> here THEN
        EXECUTE format('UPDATE youtility_tasks_history h SET written_in = NULL WHERE h.finished_at >= %L AND h.id > %s AND h.written_in >= %L::xid8',
                       since, mark.base_id, cut);
    END IF;
    UPDATE youtility_tasks_metricsmark m
       SET system_id = here, upto = cut, open = still_open, base_id = mark.base_id, last_id = greatest(mark.last_id, newest),
           folded_at = CASE WHEN is_all THEN began ELSE m.folded_at END
     WHERE m.id = 1;
END $$;

-- Add about p_most attempts that were written before this step, the latest first, to minutes and hours (not to the totals: they begin with
-- it). At most a day of the history in a call. NULL: another session is at it.
CREATE FUNCTION youtility_tasks_fold_past_v1(p_most integer, p_names jsonb, OUT added bigint, OUT is_all boolean)
LANGUAGE plpgsql SET jit = off SET "TimeZone" = 'UTC'
AS $$
DECLARE
    mark youtility_tasks_metricsmark;
    day timestamptz;
    to_at timestamptz;
    to_id bigint;
BEGIN
    SELECT * INTO mark FROM youtility_tasks_metricsmark m WHERE m.id = 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    added := 0;
    is_all := mark.past_at IS NULL OR mark.past_at < clock_timestamp() - (p_names ->> 'hour_days')::integer * interval '1 day';
    IF is_all THEN
        UPDATE youtility_tasks_metricsmark m SET past_at = NULL, past_id = NULL WHERE m.id = 1 AND m.past_at IS NOT NULL;
        RETURN;
    END IF;
    EXECUTE format('SELECT h.finished_at FROM youtility_tasks_history h WHERE (h.finished_at, h.id) < (%L, %s) AND h.written_in IS NULL'
                   ' ORDER BY h.finished_at DESC, h.id DESC LIMIT 1', mark.past_at, mark.past_id) INTO day;
    IF day IS NULL THEN
        UPDATE youtility_tasks_metricsmark m SET past_at = NULL, past_id = NULL WHERE m.id = 1;
        is_all := true;
        RETURN;
    END IF;
    day := date_trunc('day', day);
    EXECUTE format('SELECT h.finished_at, h.id FROM youtility_tasks_history h WHERE (h.finished_at, h.id) < (%L, %s) AND h.finished_at < %L'
                   ' AND h.finished_at >= %L AND h.written_in IS NULL ORDER BY h.finished_at DESC, h.id DESC OFFSET %s LIMIT 1',
                   mark.past_at, mark.past_id, day + interval '1 day', day, p_most - 1) INTO to_at, to_id;
    IF to_at IS NULL THEN
        to_at := day;
        to_id := 0;
    END IF;
    SELECT a.added INTO added FROM youtility_tasks_add_attempts_v1(
        format('(h.finished_at, h.id) < (%L, %s) AND (h.finished_at, h.id) >= (%L, %s) AND h.finished_at < %L AND h.finished_at >= %L'
               ' AND h.written_in IS NULL', mark.past_at, mark.past_id, to_at, to_id, day + interval '1 day', day), p_names, false) a;
    UPDATE youtility_tasks_metricsmark m SET past_at = to_at, past_id = to_id WHERE m.id = 1;
END $$;

-- Take away what is older than it is kept, at most p_most rows; how many. Totals stay.
CREATE FUNCTION youtility_tasks_prune_metrics_v1(p_now timestamptz, p_minute_days integer, p_hour_days integer, p_most integer, p_dry_run boolean)
RETURNS TABLE (resolution_s integer, row_count bigint) LANGUAGE sql
AS $$
    WITH old AS MATERIALIZED (
        SELECT m.id, m.resolution_s FROM youtility_tasks_taskperformancemetrics m
         WHERE (m.resolution_s = 60 AND m.begins_at < p_now - p_minute_days * interval '1 day')
            OR (m.resolution_s = 3600 AND m.begins_at < p_now - p_hour_days * interval '1 day')
         LIMIT CASE WHEN NOT p_dry_run THEN p_most END FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM youtility_tasks_taskperformancemetrics m USING old o WHERE m.id = o.id AND NOT p_dry_run
    )
    SELECT o.resolution_s::integer, count(*) FROM old o GROUP BY 1 ORDER BY 1
$$;

-- For the exporter: what the totals tell apart.
CREATE FUNCTION youtility_tasks_export_totals_v1()
RETURNS TABLE (tenant text, queue_name text, task_name text, outcome text, attempt_count bigint, wait_sum_ms double precision,
               wait_buckets smallint[], wait_counts bigint[], run_sum_ms double precision, run_buckets smallint[], run_counts bigint[])
LANGUAGE sql STABLE
AS $$
    SELECT t.tenant, t.queue_name, t.task_name, t.outcome, t.attempt_count, t.wait_sum_ms, t.wait_buckets, t.wait_counts,
           t.run_sum_ms, t.run_buckets, t.run_counts
      FROM youtility_tasks_metricstotal t
$$;

-- For the exporter: everything as it stands, a row a value; queues that p_queues does not name are `other`, so are schedules that no code
-- declares, and workers after the first p_most. It names no tenant.
CREATE FUNCTION youtility_tasks_export_present_v1(p_queues text[], p_lease_s double precision, p_most integer)
RETURNS TABLE (name text, label text, other_label text, value double precision) LANGUAGE sql STABLE
SET jit = off
AS $$
    WITH queues AS MATERIALIZED (
        SELECT CASE WHEN s.queue_name = ANY (p_queues) THEN s.queue_name ELSE 'other' END AS queue_name,
               sum(s.todo) AS todo, sum(s.doing) AS doing, sum(s.scheduled) AS scheduled, sum(s.failed) AS failed, max(s.oldest_seconds) AS oldest_seconds
          FROM get_queue_statistics() s GROUP BY 1
    ), workers AS MATERIALIZED (
        SELECT w.id, CASE WHEN w.queue_name = ANY (p_queues) THEN w.queue_name::text ELSE 'other' END AS queue_name, w.memory_bytes,
               CASE WHEN w.heartbeat_at < clock_timestamp() - p_lease_s * interval '1 second' THEN 'silent' ELSE w.status END AS status,
               CASE jsonb_typeof(w.children) WHEN 'array' THEN jsonb_array_length(w.children) ELSE 0 END AS child_count,
               row_number() OVER (ORDER BY w.id) AS n
          FROM youtility_tasks_taskworker w WHERE w.status IN ('running', 'draining')
    )
    SELECT 'queue_jobs', q.queue_name, v.status, v.n::double precision
      FROM queues q CROSS JOIN LATERAL (VALUES ('todo', q.todo), ('doing', q.doing), ('scheduled', q.scheduled), ('failed', q.failed)) v(status, n)
    UNION ALL SELECT 'queue_oldest_seconds', q.queue_name, '', q.oldest_seconds FROM queues q
    UNION ALL SELECT 'workers', w.queue_name, w.status, count(*) FROM workers w GROUP BY 2, 3
    UNION ALL SELECT 'worker_children', w.queue_name, '', sum(w.child_count) FROM workers w GROUP BY 2
    UNION ALL SELECT 'worker_memory_bytes', CASE WHEN w.n <= p_most THEN w.id::text ELSE 'other' END, '', sum(w.memory_bytes)
                FROM workers w WHERE w.memory_bytes IS NOT NULL GROUP BY 2
    UNION ALL SELECT 'schedule_lag_seconds', CASE WHEN s.declared IS NULL THEN 'other' ELSE s.name::text END, '',
                     max(greatest(0, extract(epoch FROM clock_timestamp() - s.next_at)))
                FROM youtility_tasks_scheduledtask s WHERE s.removed_at IS NULL AND NOT s.is_paused AND s.next_at IS NOT NULL GROUP BY 2
    UNION ALL SELECT 'workflow_runs', f.status, '', count(*)
                FROM youtility_tasks_taskworkflow f WHERE f.status = 'running' AND f.parent_step_id IS NULL GROUP BY 2
    UNION ALL SELECT 'workflow_runs', f.status, '', count(*)
                FROM youtility_tasks_taskworkflow f WHERE f.ended_at >= clock_timestamp() - interval '1 hour' AND f.parent_step_id IS NULL GROUP BY 2
    UNION ALL SELECT c.name, c.label, '', c.value FROM youtility_tasks_queuecounter c WHERE c.name IN ('rescued_total', 'stale_writes_rejected_total')
    UNION ALL SELECT 'rollup_age_seconds', '', '', extract(epoch FROM clock_timestamp() - m.folded_at) FROM youtility_tasks_metricsmark m
$$;

-- With their owner's rights, as those of 0015: a worker reads no history, and nobody writes these numbers by himself.
DO $do$
DECLARE
    each regprocedure;
BEGIN
    FOREACH each IN ARRAY ARRAY[
        'youtility_tasks_fold_v1(integer,double precision,jsonb)', 'youtility_tasks_fold_past_v1(integer,jsonb)',
        'youtility_tasks_prune_metrics_v1(timestamptz,integer,integer,integer,boolean)',
        'youtility_tasks_export_totals_v1()', 'youtility_tasks_export_present_v1(text[],double precision,integer)']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', each, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
    END LOOP;
    REVOKE ALL ON FUNCTION youtility_tasks_add_attempts_v1 FROM PUBLIC;
END $do$;
