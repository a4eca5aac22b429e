SELECT r.worker_id, r.silent_id, r.job_id, r.task_name, r.verdict
  FROM youtility_tasks_register_v2(%(host)s, %(pid)s, %(supervisor_pid)s, %(queue_name)s, %(slots)s, %(token)s,
                                   %(dead)s::text[], %(lease_s)s, %(max_rescues)s) r
