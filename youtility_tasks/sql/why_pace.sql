-- What the queue has done lately, of the last `most` attempts that ended anywhere within the hour: how many were its own, how
-- long one ran, how many of them had waited for a worker, and over how many seconds they ended.
SELECT count(*), avg(h.run_ms), count(*) FILTER (WHERE h.wait_ms >= 500),
       extract(epoch FROM max(h.finished_at) - min(h.finished_at))::double precision
  FROM (SELECT a.queue_name, a.outcome, a.run_ms, a.wait_ms, a.finished_at FROM youtility_tasks_history a
         WHERE a.finished_at >= statement_timestamp() - interval '1 hour' ORDER BY a.finished_at DESC LIMIT %(most)s) h
 WHERE h.queue_name = %(queue_name)s AND h.outcome <> 'cancelled'
