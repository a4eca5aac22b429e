-- The house's functions, and every other one of its schema that runs with its owner's rights.
SELECT p.proname::text, p.oid::regprocedure::text, p.prosecdef, pg_get_userbyid(p.proowner)::text,
       coalesce((SELECT string_agg(s, ' ') FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%%'), ''),
       p.proname ~ '^(youtility_tasks_|cleanup_old_tasks$|get_queue_statistics$)'
  FROM pg_proc p
 WHERE p.pronamespace = (SELECT j.relnamespace FROM pg_class j WHERE j.oid = 'procrastinate_jobs'::regclass)
   AND (p.prosecdef OR p.proname ~ '^(youtility_tasks_|cleanup_old_tasks$|get_queue_statistics$)')
   AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
