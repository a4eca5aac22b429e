-- For the exporter: what the totals tell apart, with how long after it was due a job ended.
CREATE FUNCTION youtility_tasks_export_totals_v2()
RETURNS TABLE (tenant text, queue_name text, task_name text, outcome text, attempt_count bigint, wait_sum_ms double precision,
               wait_buckets smallint[], wait_counts bigint[], run_sum_ms double precision, run_buckets smallint[], run_counts bigint[],
               took_buckets smallint[], took_counts bigint[])
LANGUAGE sql STABLE
AS $$
    SELECT t.tenant, t.queue_name, t.task_name, t.outcome, t.attempt_count, t.wait_sum_ms, t.wait_buckets, t.wait_counts,
           t.run_sum_ms, t.run_buckets, t.run_counts, t.took_buckets, t.took_counts
      FROM youtility_tasks_metricstotal t
$$;

-- With its owner's rights, as the one before.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_export_totals_v2() SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION youtility_tasks_export_totals_v2() FROM PUBLIC;
END $do$;
