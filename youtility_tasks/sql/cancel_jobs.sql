SELECT c.job_id, c.task_name, c.queue_name, c.tenant_id
  FROM youtility_tasks_cancel_v1(%(job_ids)s::bigint[], %(from_status)s, %(reason)s, %(tenant_id)s::integer) c
