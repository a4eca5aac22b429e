SELECT r.worker_id, r.job_id, r.task_name, r.verdict FROM youtility_tasks_rescue_v1(%(lease_s)s, %(max_rescues)s) r
