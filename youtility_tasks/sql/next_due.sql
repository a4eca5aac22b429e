-- Seconds until the queue's next future job is due; NULL when there is none.
SELECT extract(epoch FROM min(j.scheduled_at) - clock_timestamp())::double precision
  FROM procrastinate_jobs j
 WHERE j.queue_name = %(queue_name)s AND j.status = 'todo' AND j.scheduled_at IS NOT NULL
