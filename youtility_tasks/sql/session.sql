-- What a worker must know of its session before it trusts it, and what tells two databases apart.
SELECT pg_backend_pid(), current_setting('synchronous_commit'), current_setting('fsync'), r.rolname::text, r.rolsuper, r.rolbypassrls,
       current_database() || ' of the server that started at ' || date_trunc('second', pg_postmaster_start_time()) AT TIME ZONE 'UTC',
       current_setting('synchronous_standby_names')
  FROM pg_roles r WHERE r.rolname = current_user
