-- Give a dead letter a fresh set of attempts. Its queueing lock is dropped when another job already waits under it.
UPDATE procrastinate_jobs j
   SET status = 'todo', attempts = 0, crash_count = 0, rescue_count = 0, scheduled_at = NULL, failed_at = NULL,
       queueing_lock = CASE WHEN (SELECT 1 FROM procrastinate_jobs o
                                   WHERE o.queueing_lock = j.queueing_lock AND o.status = 'todo' LIMIT 1) IS NULL
                            THEN j.queueing_lock END
 WHERE j.id = %(job_id)s AND j.status = 'failed'
   AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
RETURNING j.id, j.queue_name
