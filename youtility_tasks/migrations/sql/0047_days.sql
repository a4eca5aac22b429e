-- Whole days of sums, made of hours once a day is over: a month by task is thirty rows a task instead of seven hundred.

-- Add up one day that is over by p_until and was not yet (or was, before something was added to it), the newest first, none before p_since;
-- which, or null if there is none. A day is a row of the sums whose resolution_s is 0: of all tenants and of each, by task, by queue and of
-- everything. Who adds attempts to an hour takes the sums of its day away (youtility_tasks_add_attempts_v1); both hold the mark.
CREATE OR REPLACE FUNCTION youtility_tasks_sum_day_v1(p_since timestamptz, p_until timestamptz, OUT day timestamptz)
LANGUAGE plpgsql SET jit = off SET "TimeZone" = 'UTC' SET work_mem = '64MB'
AS $$
BEGIN
    PERFORM FROM youtility_tasks_metricsmark m WHERE m.id = 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- In statements after the lock: they see what the fold before has added.
    SELECT d.at INTO day
      FROM generate_series(date_trunc('day', p_until) - interval '24 hours', p_since, interval '-24 hours') d(at)
     WHERE EXISTS (SELECT FROM youtility_tasks_metricssum m WHERE m.tenant_id = -1 AND m.level = 0 AND m.resolution_s = 3600
                      AND m.begins_at >= d.at AND m.begins_at < d.at + interval '24 hours')
       AND NOT EXISTS (SELECT FROM youtility_tasks_metricssum m WHERE m.tenant_id = -1 AND m.level = 0 AND m.resolution_s = 0 AND m.begins_at = d.at)
     ORDER BY d.at DESC LIMIT 1;
    IF day IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM youtility_tasks_metricssum m WHERE m.resolution_s = 0 AND m.begins_at = day;
    WITH hours AS MATERIALIZED (
        SELECT m.tenant_id, m.level, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_min_ms, m.wait_max_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_min_ms, m.run_max_ms, m.run_buckets, m.run_counts, m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM youtility_tasks_metricssum m
         WHERE m.resolution_s = 3600 AND m.begins_at >= day AND m.begins_at < day + interval '24 hours'
        UNION ALL
        SELECT m.tenant_id, 2, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_min_ms, m.wait_max_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_min_ms, m.run_max_ms, m.run_buckets, m.run_counts, m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM youtility_tasks_taskperformancemetrics m
         WHERE m.resolution_s = 3600 AND m.begins_at >= day AND m.begins_at < day + interval '24 hours'
    ), sums AS MATERIALIZED (
        SELECT row_number() OVER () AS n, h.tenant_id, h.level, h.queue_name, h.task_name, h.outcome,
               sum(h.attempt_count) AS attempt_count, sum(h.retried_count) AS retried_count, sum(h.dead_letter_count) AS dead_letter_count,
               sum(h.wait_count) AS wait_count, sum(h.wait_sum_ms) AS wait_sum_ms, min(h.wait_min_ms) AS wait_min_ms, max(h.wait_max_ms) AS wait_max_ms,
               sum(h.run_count) AS run_count, sum(h.run_sum_ms) AS run_sum_ms, min(h.run_min_ms) AS run_min_ms, max(h.run_max_ms) AS run_max_ms,
               sum(h.cpu_sum_ms) AS cpu_sum_ms, max(h.cpu_max_ms) AS cpu_max_ms, max(h.peak_memory_max_kib) AS peak_memory_max_kib
          FROM hours h GROUP BY h.tenant_id, h.level, h.queue_name, h.task_name, h.outcome
    ), numbered AS MATERIALIZED (
        -- A group is a number from here on, and with the bucket still one.
        SELECT s.n * 1024 AS n, h.wait_buckets, h.wait_counts, h.run_buckets, h.run_counts
          FROM hours h JOIN sums s USING (tenant_id, level, queue_name, task_name, outcome)
    ), waits AS (
        SELECT b.n >> 10 AS n, array_agg(((b.n & 1023) - 64)::smallint ORDER BY b.n) AS buckets, array_agg(b.count ORDER BY b.n) AS counts
          FROM (SELECT k.n + u.bucket + 64 AS n, sum(u.count)::bigint AS count
                  FROM numbered k CROSS JOIN LATERAL unnest(k.wait_buckets, k.wait_counts) u(bucket, count) GROUP BY 1) b
         GROUP BY 1
    ), runs AS (
        SELECT b.n >> 10 AS n, array_agg(((b.n & 1023) - 64)::smallint ORDER BY b.n) AS buckets, array_agg(b.count ORDER BY b.n) AS counts
          FROM (SELECT k.n + u.bucket + 64 AS n, sum(u.count)::bigint AS count
                  FROM numbered k CROSS JOIN LATERAL unnest(k.run_buckets, k.run_counts) u(bucket, count) GROUP BY 1) b
         GROUP BY 1
    )
    INSERT INTO youtility_tasks_metricssum (
           tenant_id, level, resolution_s, begins_at, queue_name, task_name, outcome, attempt_count, retried_count, dead_letter_count,
           wait_count, wait_sum_ms, wait_min_ms, wait_max_ms, wait_buckets, wait_counts,
           run_count, run_sum_ms, run_min_ms, run_max_ms, run_buckets, run_counts, cpu_sum_ms, cpu_max_ms, peak_memory_max_kib)
    SELECT s.tenant_id, s.level, 0, day, s.queue_name, s.task_name, s.outcome, s.attempt_count, s.retried_count, s.dead_letter_count,
           s.wait_count, s.wait_sum_ms, s.wait_min_ms, s.wait_max_ms, coalesce(w.buckets, '{}'), coalesce(w.counts, '{}'),
           s.run_count, s.run_sum_ms, s.run_min_ms, s.run_max_ms, coalesce(r.buckets, '{}'), coalesce(r.counts, '{}'),
           s.cpu_sum_ms, s.cpu_max_ms, s.peak_memory_max_kib
      FROM sums s LEFT JOIN waits w USING (n) LEFT JOIN runs r USING (n);
END $$;

-- The attempts of a span that are in none of the numbers yet, as the statement that asks sees them; of p_late_s before the last fold at most.
-- Planned with what the mark says, and not with a guess at it: of "all that was written since then" the planner expects a third of every
-- attempt, and read a day by its time to find the few.
CREATE OR REPLACE FUNCTION youtility_tasks_fresh_attempts_v1(p_since timestamptz, p_until timestamptz, p_late_s double precision)
RETURNS TABLE (finished_at timestamptz, tenant_id integer, queue_name varchar, task_name varchar, outcome text, status text, is_final boolean,
               wait_ms double precision, run_ms double precision, cpu_ms double precision, peak_memory_kib bigint)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    mark record;
BEGIN
    SELECT m.folded_at, m.base_id, m.upto, m.open INTO mark FROM youtility_tasks_metricsmark m;
    RETURN QUERY EXECUTE format(
        'SELECT h.finished_at, h.tenant_id, h.queue_name, h.task_name, h.outcome, h.status, h.is_final, h.wait_ms, h.run_ms, h.cpu_ms, h.peak_memory_kib'
        '  FROM youtility_tasks_history h WHERE h.finished_at >= %L AND h.finished_at < %L AND h.id > %s'
        '   AND (h.written_in >= %L::xid8 OR h.written_in = ANY (%L::xid8[]))',
        greatest(p_since, coalesce(mark.folded_at, clock_timestamp()) - p_late_s * interval '1 second'), p_until,
        coalesce(mark.base_id, 0), coalesce(mark.upto, 0), coalesce(mark.open, '{}'));
END $$;

DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_sum_day_v1(timestamptz,timestamptz) SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION youtility_tasks_sum_day_v1(timestamptz,timestamptz) FROM PUBLIC;
    REVOKE ALL ON FUNCTION youtility_tasks_fresh_attempts_v1(timestamptz,timestamptz,double precision) FROM PUBLIC;
END $do$;
