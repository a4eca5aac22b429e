-- Of other users' sessions a role that reads no statistics sees the number alone.
SELECT b.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
       coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::double precision
  FROM unnest(pg_blocking_pids(%(pid)s)) b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid
 ORDER BY a.xact_start LIMIT 3
