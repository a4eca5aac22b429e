SELECT r.job_id, r.task_name, r.queue_name, r.tenant_id
  FROM youtility_tasks_run_now_v1(%(job_ids)s::bigint[], %(first_at)s::timestamptz, %(spacing_s)s::float8, %(tenant_id)s::integer) r
