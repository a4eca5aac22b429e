-- Say what is held; hear which jobs are no longer the worker's, and what it was told (orders.py).
SELECT r.kind, r.job_id
  FROM youtility_tasks_renew_v1(%(worker_id)s, %(held)s::jsonb, %(status)s, %(children)s::jsonb, %(memory_bytes)s) r
UNION ALL
SELECT t.told, NULL FROM youtility_tasks_taskworker t WHERE t.id = %(worker_id)s AND t.told <> ''
