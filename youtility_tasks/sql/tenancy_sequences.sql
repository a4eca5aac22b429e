-- The sequences that tables of the house's schema draw their ids from, with the table of each.
SELECT c.relname::text, s.relname::text
  FROM pg_class s JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
       JOIN pg_class c ON c.oid = d.refobjid
 WHERE s.relkind = 'S' AND d.deptype IN ('a', 'i')
   AND s.relnamespace = (SELECT j.relnamespace FROM pg_class j WHERE j.oid = 'procrastinate_jobs'::regclass)
