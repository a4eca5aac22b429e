SELECT r.kind, r.job_id
  FROM youtility_tasks_renew_v1(%(worker_id)s, %(held)s::jsonb, %(status)s, %(children)s::jsonb, %(memory_bytes)s) r
