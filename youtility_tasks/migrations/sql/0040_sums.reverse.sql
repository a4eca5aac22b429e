-- Add the attempts that p_which chooses (of youtility_tasks_history h) to their minutes and hours, and with p_in_totals to the totals.
-- p_names: {"tasks": [...], "queues": [...], "tenants": [...], "most": n, "minute_days": n, "hour_days": n}, as for fold below.
CREATE OR REPLACE FUNCTION youtility_tasks_add_attempts_v1(p_which text, p_names jsonb, p_in_totals boolean, OUT added bigint, OUT last_id bigint)
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

-- Take away what is older than it is kept, at most p_most rows; how many. Totals stay.
CREATE OR REPLACE FUNCTION youtility_tasks_prune_metrics_v1(p_now timestamptz, p_minute_days integer, p_hour_days integer, p_most integer, p_dry_run boolean)
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

-- CREATE OR REPLACE takes away no right, but what a function is set to: its owner's rights are given anew.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_prune_metrics_v1(timestamptz,integer,integer,integer,boolean) SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', current_schema());
END $do$;

