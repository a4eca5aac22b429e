-- Ended attempts by step and by what is asked for: whole days, hours before and after them and where a day is not added up, minutes before and
-- after those, and what is in none of them yet.
-- Where names do not tell apart, from the sums over them, as they were added up with them. One statement, so that an attempt is in the numbers or in the history for it, and never in both.
WITH days AS MATERIALIZED (
    -- Of whom nothing ended on a day, or whose day is not added up yet, has none here; its hours are read, and of the first there are none.
    SELECT DISTINCT m.begins_at FROM youtility_tasks_metricssum m
     WHERE m.tenant_id = %(sums_of)s AND m.level = %(level)s AND m.resolution_s = 0 AND m.begins_at >= %(days_from)s AND m.begins_at < %(days_to)s
), hours AS MATERIALIZED (
    SELECT %(hours_from)s::timestamptz AS since, %(days_from)s::timestamptz AS until
    UNION ALL SELECT %(days_to)s, %(hours_to)s
    UNION ALL SELECT g.at, g.at + interval '24 hours' FROM generate_series(%(days_from)s, %(days_to)s::timestamptz - interval '24 hours', interval '24 hours') g(at)
               WHERE NOT EXISTS (SELECT FROM days d WHERE d.begins_at = g.at)
), keyed AS MATERIALIZED (
    -- A group is one number from here on, and with the bucket still one: of a month there are a million buckets, and of each all names were compared.
    SELECT e.*, dense_rank() OVER (ORDER BY e.step, e.queue_name COLLATE "C", e.task_name COLLATE "C", e.tenant_id, e.outcome COLLATE "C") AS n FROM (
    -- date_part, not extract, which counts in numeric: of a hundred thousand minutes that is felt.
    SELECT floor(date_part('epoch', r.begins_at - %(since)s::timestamptz) / %(step_s)s)::integer AS step,
           CASE WHEN %(by_queue)s THEN r.queue_name END AS queue_name, CASE WHEN %(by_task)s THEN r.task_name END AS task_name,
           CASE WHEN %(by_tenant)s THEN r.tenant_id END AS tenant_id, r.outcome, r.attempt_count, r.retried_count, r.dead_letter_count,
           r.wait_count, r.wait_sum_ms, r.wait_max_ms, r.wait_min_ms, r.wait_buckets, r.wait_counts,
           r.run_count, r.run_sum_ms, r.run_max_ms, r.run_min_ms, r.run_buckets, r.run_counts,
           r.cpu_sum_ms, r.cpu_max_ms, r.peak_memory_max_kib
      FROM (
        SELECT m.begins_at, m.tenant_id, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_max_ms, m.wait_min_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_max_ms, m.run_min_ms, m.run_buckets, m.run_counts,
               m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM youtility_tasks_metricssum m
         WHERE m.tenant_id = %(sums_of)s AND m.level = %(level)s AND m.resolution_s = 0
           AND m.begins_at >= %(days_from)s AND m.begins_at < %(days_to)s
        UNION ALL
        SELECT m.begins_at, m.tenant_id, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_max_ms, m.wait_min_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_max_ms, m.run_min_ms, m.run_buckets, m.run_counts,
               m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM hours b CROSS JOIN youtility_tasks_taskperformancemetrics m
         WHERE NOT %(hours_summed)s AND m.resolution_s = 3600 AND m.begins_at >= b.since AND m.begins_at < b.until
        UNION ALL
        SELECT m.begins_at, m.tenant_id, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_max_ms, m.wait_min_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_max_ms, m.run_min_ms, m.run_buckets, m.run_counts,
               m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM hours b CROSS JOIN youtility_tasks_metricssum m
         WHERE %(hours_summed)s AND m.tenant_id = %(sums_of)s AND m.level = %(level)s
           AND m.resolution_s = 3600 AND m.begins_at >= b.since AND m.begins_at < b.until
        UNION ALL
        SELECT m.begins_at, m.tenant_id, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_max_ms, m.wait_min_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_max_ms, m.run_min_ms, m.run_buckets, m.run_counts,
               m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM youtility_tasks_taskperformancemetrics m
         WHERE NOT %(minutes_summed)s AND m.resolution_s = 60 AND m.begins_at >= %(since)s AND m.begins_at < %(hours_from)s
        UNION ALL
        SELECT m.begins_at, m.tenant_id, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_max_ms, m.wait_min_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_max_ms, m.run_min_ms, m.run_buckets, m.run_counts,
               m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM youtility_tasks_metricssum m
         WHERE %(minutes_summed)s AND m.tenant_id = %(sums_of)s AND m.level = %(level)s
           AND m.resolution_s = 60 AND m.begins_at >= %(since)s AND m.begins_at < %(hours_from)s
        UNION ALL
        SELECT m.begins_at, m.tenant_id, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_max_ms, m.wait_min_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_max_ms, m.run_min_ms, m.run_buckets, m.run_counts,
               m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM youtility_tasks_taskperformancemetrics m
         WHERE NOT %(minutes_summed)s AND m.resolution_s = 60 AND m.begins_at >= %(hours_to)s AND m.begins_at < %(until)s
        UNION ALL
        SELECT m.begins_at, m.tenant_id, m.queue_name, m.task_name, m.outcome, m.attempt_count, m.retried_count, m.dead_letter_count,
               m.wait_count, m.wait_sum_ms, m.wait_max_ms, m.wait_min_ms, m.wait_buckets, m.wait_counts,
               m.run_count, m.run_sum_ms, m.run_max_ms, m.run_min_ms, m.run_buckets, m.run_counts,
               m.cpu_sum_ms, m.cpu_max_ms, m.peak_memory_max_kib
          FROM youtility_tasks_metricssum m
         WHERE %(minutes_summed)s AND m.tenant_id = %(sums_of)s AND m.level = %(level)s
           AND m.resolution_s = 60 AND m.begins_at >= %(hours_to)s AND m.begins_at < %(until)s
        UNION ALL
        SELECT h.finished_at, h.tenant_id, h.queue_name, h.task_name, h.outcome, 1,
               (h.status = 'failed' AND NOT h.is_final)::integer, (h.status = 'failed' AND h.is_final)::integer,
               (h.wait_ms IS NOT NULL)::integer, coalesce(h.wait_ms, 0), h.wait_ms, h.wait_ms,
               CASE WHEN h.wait_ms IS NULL THEN '{}' ELSE ARRAY[youtility_tasks_bucket_v1(h.wait_ms)] END,
               CASE WHEN h.wait_ms IS NULL THEN '{}' ELSE ARRAY[1::bigint] END,
               (h.run_ms IS NOT NULL)::integer, coalesce(h.run_ms, 0), h.run_ms, h.run_ms,
               CASE WHEN h.run_ms IS NULL THEN '{}' ELSE ARRAY[youtility_tasks_bucket_v1(h.run_ms)] END,
               CASE WHEN h.run_ms IS NULL THEN '{}' ELSE ARRAY[1::bigint] END,
               coalesce(h.cpu_ms, 0), h.cpu_ms, h.peak_memory_kib
          FROM youtility_tasks_fresh_attempts_v1(%(since)s, %(until)s, %(late_s)s) h
      ) r
     WHERE (%(tenant_id)s::integer IS NULL OR r.tenant_id = %(tenant_id)s::integer)
       AND (%(queue_name)s::text IS NULL OR r.queue_name = %(queue_name)s::text)
       AND (%(task_name)s::text IS NULL OR r.task_name = %(task_name)s::text)
    ) e
), sums AS MATERIALIZED (
    SELECT k.n, k.step, k.queue_name, k.task_name, k.tenant_id, k.outcome, sum(k.attempt_count)::bigint AS attempt_count,
           sum(k.retried_count)::bigint AS retried_count, sum(k.dead_letter_count)::bigint AS dead_letter_count,
           sum(k.wait_sum_ms) AS wait_sum_ms, min(k.wait_min_ms) AS wait_min_ms, max(k.wait_max_ms) AS wait_max_ms,
           sum(k.run_sum_ms) AS run_sum_ms, min(k.run_min_ms) AS run_min_ms, max(k.run_max_ms) AS run_max_ms,
           sum(k.cpu_sum_ms) AS cpu_sum_ms, max(k.cpu_max_ms) AS cpu_max_ms, max(k.peak_memory_max_kib) AS peak_memory_max_kib
      FROM keyed k GROUP BY k.n, k.step, k.queue_name, k.task_name, k.tenant_id, k.outcome
), waits AS (
    SELECT b.n >> 10 AS n, array_agg(((b.n & 1023) - 64)::smallint) AS buckets, array_agg(b.count) AS counts
      FROM (SELECT k.n * 1024 + u.bucket + 64 AS n, sum(u.count)::bigint AS count
              FROM keyed k CROSS JOIN LATERAL unnest(k.wait_buckets, k.wait_counts) u(bucket, count) GROUP BY 1) b
     GROUP BY 1
), runs AS (
    SELECT b.n >> 10 AS n, array_agg(((b.n & 1023) - 64)::smallint) AS buckets, array_agg(b.count) AS counts
      FROM (SELECT k.n * 1024 + u.bucket + 64 AS n, sum(u.count)::bigint AS count
              FROM keyed k CROSS JOIN LATERAL unnest(k.run_buckets, k.run_counts) u(bucket, count) GROUP BY 1) b
     GROUP BY 1
)
SELECT s.step, s.queue_name, s.task_name, s.tenant_id, s.outcome, s.attempt_count, s.retried_count, s.dead_letter_count,
       s.wait_sum_ms, s.wait_min_ms, s.wait_max_ms, w.buckets, w.counts, s.run_sum_ms, s.run_min_ms, s.run_max_ms, r.buckets, r.counts,
       s.cpu_sum_ms, s.cpu_max_ms, s.peak_memory_max_kib
  FROM sums s
  LEFT JOIN waits w USING (n)
  LEFT JOIN runs r USING (n)
 ORDER BY s.step, s.queue_name, s.task_name, s.tenant_id, s.outcome
