SELECT t.tenant, t.queue_name, t.task_name, t.outcome, t.attempt_count, t.wait_sum_ms, t.wait_buckets, t.wait_counts,
       t.run_sum_ms, t.run_buckets, t.run_counts, t.took_buckets, t.took_counts
  FROM youtility_tasks_export_totals_v2() t
