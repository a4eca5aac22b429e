-- The tables and views of the house's schema: who owns them, and whether row level security binds everybody.
SELECT c.relname::text, c.relkind::text, pg_get_userbyid(c.relowner)::text, c.relrowsecurity, c.relforcerowsecurity,
       (SELECT p.relname::text FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid AND c.relispartition),
       'security_invoker=true' = ANY (coalesce(c.reloptions, '{}')) OR 'security_invoker=on' = ANY (coalesce(c.reloptions, '{}'))
  FROM pg_class c
 WHERE c.relnamespace = (SELECT j.relnamespace FROM pg_class j WHERE j.oid = 'procrastinate_jobs'::regclass)
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1
