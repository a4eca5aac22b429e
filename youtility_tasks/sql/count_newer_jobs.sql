-- How many jobs are newer than the newest that a page shows, up to %(most)s. Those that have ended since are in the history alone.
SELECT count(*)
  FROM (SELECT FROM procrastinate_jobs j
         WHERE j.id > %(newest_id)s AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
           AND (%(queue_name)s::text IS NULL OR j.queue_name = %(queue_name)s::text)
           AND (%(task_names)s::text[] IS NULL OR j.task_name = ANY (%(task_names)s::text[]))
           AND (%(statuses)s::text[] IS NULL OR j.status::text = ANY (%(statuses)s::text[]))
        UNION ALL
        SELECT FROM youtility_tasks_history h
         WHERE h.job_id > %(newest_id)s AND h.finished_at >= %(since)s AND h.is_final
           AND h.status IN ('succeeded', 'cancelled', 'aborted')
           AND (%(tenant_id)s::integer IS NULL OR h.tenant_id = %(tenant_id)s::integer)
           AND (%(queue_name)s::text IS NULL OR h.queue_name = %(queue_name)s::text)
           AND (%(task_names)s::text[] IS NULL OR h.task_name = ANY (%(task_names)s::text[]))
           AND (%(statuses)s::text[] IS NULL OR h.status = ANY (%(statuses)s::text[]))
         LIMIT %(most)s) few
