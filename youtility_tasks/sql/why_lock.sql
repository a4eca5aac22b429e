-- Who stands before a job at its lock: the job that runs under it, else the first of those that wait, whatever its queue or time.
(SELECT d.status::text, d.id, d.task_name, d.queue_name, d.tenant_id, d.claimed_at, d.scheduled_at FROM procrastinate_jobs d
  WHERE d.lock = %(lock)s AND d.status = 'doing' LIMIT 1)
UNION ALL
(SELECT o.status::text, o.id, o.task_name, o.queue_name, o.tenant_id, o.claimed_at, o.scheduled_at FROM procrastinate_jobs o
  WHERE o.lock = %(lock)s AND o.status = 'todo' ORDER BY -o.priority, o.id LIMIT 1)
