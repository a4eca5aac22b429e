SELECT p.accepted, p.look_again, p.look_after_s, p.job_id, p.task_name, p.args, p.attempts, p.tenant_id, p.claim_number, p.crash_count, p.has_lock, p.expires_in_s
  FROM youtility_tasks_pump_lone_v1(%(worker_id)s, %(host)s, %(queue_name)s, %(n)s) p
