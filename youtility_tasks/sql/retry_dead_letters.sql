-- Give dead letters of active tenants a fresh set of attempts. A queueing lock is dropped when another job already waits under it. The claim
-- number rises, because a final attempt with the job's own number means that the job has ended; it is due from now on, so
-- that its wait does not count the days that it lay dead.
WITH chosen AS MATERIALIZED (
    SELECT j.id FROM procrastinate_jobs j
     WHERE j.id = ANY (%(job_ids)s::bigint[]) AND j.status = 'failed'
       AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
       AND NOT EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = j.tenant_id AND NOT t.is_active)
     ORDER BY j.id FOR UPDATE
)
UPDATE procrastinate_jobs j
   SET status = 'todo', attempts = 0, crash_count = 0, rescue_count = 0, scheduled_at = clock_timestamp(), failed_at = NULL,
       worker_id = NULL, abort_requested = false, claim_number = j.claim_number + 1,
       queueing_lock = CASE WHEN (SELECT 1 FROM procrastinate_jobs o
                                   WHERE o.queueing_lock = j.queueing_lock AND o.status = 'todo' LIMIT 1) IS NULL
                            THEN j.queueing_lock END
  FROM chosen c WHERE j.id = c.id
RETURNING j.id, j.task_name, j.queue_name, j.tenant_id
