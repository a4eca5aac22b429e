-- How many attempts prune_history.sql would delete.
SELECT count(*) FROM youtility_tasks_history h
 WHERE h.finished_at < %(before)s
   AND (%(outcome)s::text IS NULL OR h.outcome = %(outcome)s) AND (%(task_name)s::text IS NULL OR h.task_name = %(task_name)s)
   AND (%(tenant_id)s::integer IS NULL OR h.tenant_id = %(tenant_id)s::integer)
   AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = h.job_id)
