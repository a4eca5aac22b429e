SELECT p.accepted, (p.job).id, (p.job).task_name, (p.job).args, (p.job).attempts, (p.job).tenant_id,
       (p.job).claim_number, (p.job).crash_count, (p.job).lock IS NOT NULL
  FROM youtility_tasks_pump_v1(%(worker_id)s, %(host)s, %(ended)s::jsonb, %(queue_name)s, %(n)s) p
