-- Ask the workers that run these jobs to end them; the change of the column notifies each job's queue.
WITH chosen AS MATERIALIZED (
    SELECT j.id FROM procrastinate_jobs j
     WHERE j.id = ANY (%(job_ids)s::bigint[]) AND j.status = 'doing'
       AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
     ORDER BY j.id FOR UPDATE
)
UPDATE procrastinate_jobs j SET abort_requested = true FROM chosen c WHERE j.id = c.id
RETURNING j.id, j.task_name, j.queue_name, j.tenant_id
