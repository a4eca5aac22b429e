-- Take a waiting job, or a dead letter, off the queue and record that it was cancelled.
WITH gone AS (
    DELETE FROM procrastinate_jobs j
     WHERE j.id = %(job_id)s AND j.status = %(from_status)s::procrastinate_job_status
       AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
    RETURNING j.*
)
INSERT INTO youtility_tasks_history (
    job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, scheduled_at, finished_at,
    status, outcome, is_final, args, error_message)
SELECT g.id, g.task_name, g.queue_name, g.tenant_id, 11 - g.priority, g.attempts + 1, g.claim_number, g.enqueued_at,
       g.scheduled_at, clock_timestamp(), 'cancelled', 'cancelled', true, g.args, %(reason)s
  FROM gone g
RETURNING job_id
