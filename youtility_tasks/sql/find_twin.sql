-- The job that already holds the queueing lock or the unique key of one that could not be written.
SELECT j.id, j.enqueued_at
  FROM procrastinate_jobs j
 WHERE (j.queueing_lock = %(queueing_lock)s AND j.status = 'todo')
    OR (j.tenant_id = %(tenant_id)s AND j.task_name = %(task_name)s AND j.unique_key = %(unique_key)s
        AND j.status IN ('todo', 'doing'))
 ORDER BY j.id
 LIMIT 1
