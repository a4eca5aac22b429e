-- The policies for the owner ask for the path of the functions that run with his rights.
SELECT set_config('search_path', substr(c.set, length('search_path=') + 1), true), set_config('youtility_tasks.token', %(token)s, true)
  FROM pg_proc p, unnest(p.proconfig) AS c(set)
 WHERE p.oid = 'youtility_tasks_tenant_v1'::regproc AND starts_with(c.set, 'search_path=')
