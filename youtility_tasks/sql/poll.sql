-- As `pump`, with what `next_due` would be asked after a claim that finds nothing: one question of an idle worker instead of two.
SELECT p.accepted, p.look_again, p.look_after_s, p.job_id, p.task_name, p.args, p.attempts, p.tenant_id, p.claim_number, p.crash_count, p.has_lock, p.expires_in_s,
       n.due_s, n.waits_for_lock
  FROM youtility_tasks_pump_v4(%(worker_id)s, %(host)s, %(ended)s::jsonb, %(queue_name)s, %(n)s) p,
       youtility_tasks_next_due_v1(%(queue_name)s, %(worker_id)s) n
