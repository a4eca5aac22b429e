SELECT youtility_tasks_used_attempts_v1(%(job_id)s, %(attempts)s)
