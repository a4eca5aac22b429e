SELECT youtility_tasks_progress_v1(%(worker_id)s::bigint, %(told)s::jsonb)
