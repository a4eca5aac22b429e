-- Seconds until the queue's next future job is due; NULL when there is none. One that came due in the last second counts,
-- as the claim just before may have been too early for it; one that is overdue for longer waits for a lock, not for time.
-- One question an index: those of jobs with a lock and without are apart. The sub-select makes the instant a bound of it.
WITH recent AS (SELECT clock_timestamp() - interval '1 second' AS at)
SELECT extract(epoch FROM least(
         (SELECT j.scheduled_at FROM procrastinate_jobs j
           WHERE j.queue_name = %(queue_name)s AND j.status = 'todo' AND j.lock IS NULL AND j.parked_by = 0
             AND j.scheduled_at > (SELECT r.at FROM recent r) ORDER BY j.scheduled_at LIMIT 1),
         (SELECT j.scheduled_at FROM procrastinate_jobs j
           WHERE j.queue_name = %(queue_name)s AND j.status = 'todo' AND j.lock IS NOT NULL
             AND j.scheduled_at > (SELECT r.at FROM recent r) ORDER BY j.scheduled_at LIMIT 1)
       ) - clock_timestamp())::double precision,
       -- Whether a due job of the queue waits for a lock under which another worker runs one; its end wakes nobody here.
       -- OFFSET and the scalar sub-select: from the few that run to those that wait, never the other way round.
       EXISTS (SELECT 1 FROM (
                 SELECT d.lock FROM procrastinate_jobs d
                  WHERE d.status = 'doing' AND d.lock IS NOT NULL AND d.worker_id IS DISTINCT FROM %(worker_id)s OFFSET 0) r
                WHERE (SELECT 1 FROM procrastinate_jobs j
                        WHERE j.queue_name = %(queue_name)s AND j.lock = r.lock AND j.status = 'todo'
                          AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp()) LIMIT 1) IS NOT NULL)
