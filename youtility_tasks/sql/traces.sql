-- Of jobs just claimed: the trace that each was enqueued under, when that was, and for how long it was due before it was claimed.
SELECT j.id, j.trace, extract(epoch FROM j.enqueued_at)::float8,
       extract(epoch FROM j.claimed_at - greatest(j.enqueued_at, j.scheduled_at))::float8
  FROM procrastinate_jobs j
 WHERE j.id = ANY (%(job_ids)s::bigint[])
