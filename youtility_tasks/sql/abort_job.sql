-- Ask the worker that runs the job to end it; the change of the column notifies that worker's queue.
UPDATE procrastinate_jobs j SET abort_requested = true
 WHERE j.id = %(job_id)s AND j.status = 'doing'
   AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
RETURNING j.id
