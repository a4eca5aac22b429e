-- How long the attempts of the jobs of a run's steps ran in all, in seconds, and how many there were.
SELECT h.job_id, coalesce(sum(h.run_ms), 0) / 1000, count(*)
  FROM youtility_tasks_history h
 WHERE h.job_id = ANY (%(job_ids)s::bigint[]) AND h.finished_at >= coalesce(%(since)s::timestamptz, '-infinity')
 GROUP BY h.job_id
