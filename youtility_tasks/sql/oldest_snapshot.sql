-- The session whose snapshot is the oldest, and for how long its transaction has been open: until it ends, vacuum leaves
-- the rows of all jobs that have ended since.
SELECT a.pid, a.application_name, a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::double precision
  FROM pg_stat_activity a
 WHERE a.backend_type = 'client backend' AND a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid()
 ORDER BY a.xact_start LIMIT 1
