-- The text is made longer by nothing so that only the index of what runs can serve: that of the queue's name has all that wait.
SELECT b.more_urgent, b.own, b.others, b.tenants,
       (SELECT count(*) FROM procrastinate_jobs j WHERE j.status = 'doing' AND j.queue_name || '' = %(queue_name)s)
  FROM youtility_tasks_before_v1(%(queue_name)s, %(priority)s, %(tenant_id)s, %(job_id)s, %(most)s) b
