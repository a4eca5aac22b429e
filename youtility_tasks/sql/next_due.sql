-- Seconds until the queue's next future job is due; NULL when there is none. One that came due in the last second counts,
-- as the claim just before may have been too early for it; one that is overdue for longer waits for a lock, not for time.
SELECT extract(epoch FROM min(j.scheduled_at) - clock_timestamp())::double precision
  FROM procrastinate_jobs j
 WHERE j.queue_name = %(queue_name)s AND j.status = 'todo' AND j.scheduled_at > clock_timestamp() - interval '1 second'
