-- What waits, runs and has failed, by queue. Waiting is either due now or scheduled for later, never both.
SELECT j.queue_name,
       count(*) FILTER (WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp())),
       count(*) FILTER (WHERE j.status = 'doing'),
       count(*) FILTER (WHERE j.status = 'todo' AND j.scheduled_at > clock_timestamp()),
       count(*) FILTER (WHERE j.status = 'failed'),
       coalesce(extract(epoch FROM clock_timestamp() - min(greatest(j.enqueued_at, j.scheduled_at)) FILTER (
           WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp()))), 0)::double precision
  FROM procrastinate_jobs j
 WHERE j.status IN ('todo', 'doing', 'failed') AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
 GROUP BY j.queue_name
