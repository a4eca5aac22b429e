SELECT p.queue_name, p.control_id, p.job_count FROM youtility_tasks_parked_v1(%(most)s) p
