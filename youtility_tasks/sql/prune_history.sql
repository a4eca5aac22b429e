-- Delete one batch of old attempts. Those of a job that is still in the table (a dead letter, above all) stay with it.
WITH old AS MATERIALIZED (
    SELECT h.finished_at, h.id FROM youtility_tasks_history h
     WHERE h.finished_at < %(before)s
       AND (%(outcome)s::text IS NULL OR h.outcome = %(outcome)s) AND (%(task_name)s::text IS NULL OR h.task_name = %(task_name)s)
       AND (%(tenant_id)s::integer IS NULL OR h.tenant_id = %(tenant_id)s::integer)
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = h.job_id)
     ORDER BY h.finished_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
DELETE FROM youtility_tasks_history h USING old o WHERE h.finished_at = o.finished_at AND h.id = o.id
