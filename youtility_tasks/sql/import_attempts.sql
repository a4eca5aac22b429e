SELECT a.n, a.job_id FROM youtility_tasks_import_attempts_v1(%(rows)s::jsonb) a ORDER BY a.n
