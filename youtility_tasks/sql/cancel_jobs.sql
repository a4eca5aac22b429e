-- Take waiting jobs, or dead letters, off the queue and record that they were cancelled. Rows are locked in the order of
-- their ids, so that two people who cancel the same jobs cannot deadlock.
WITH chosen AS MATERIALIZED (
    SELECT j.id FROM procrastinate_jobs j
     WHERE j.id = ANY (%(job_ids)s::bigint[]) AND j.status = %(from_status)s::procrastinate_job_status
       AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
     ORDER BY j.id FOR UPDATE
), gone AS (
    DELETE FROM procrastinate_jobs j USING chosen c WHERE j.id = c.id RETURNING j.*
), recorded AS (
    INSERT INTO youtility_tasks_history (
        job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, scheduled_at, finished_at,
        status, outcome, is_final, args, error_message)
    SELECT g.id, g.task_name, g.queue_name, g.tenant_id, greatest(-32768, least(32767, 11 - g.priority::bigint)), g.attempts + 1, g.claim_number, g.enqueued_at,
           g.scheduled_at, clock_timestamp(), 'cancelled', 'cancelled', true, g.args, %(reason)s
      FROM gone g
)
SELECT g.id, g.task_name, g.queue_name, g.tenant_id FROM gone g ORDER BY g.id
