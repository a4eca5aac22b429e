-- Every right that somebody other than the owner has: on tables, columns, sequences, functions, the schema and the database itself.
-- 'sequence' is named after the table that draws from it.
WITH home AS (
    SELECT j.relnamespace AS oid FROM pg_class j WHERE j.oid = 'procrastinate_jobs'::regclass
)
SELECT 'table', c.relname::text, NULL::text, a.grantee, a.privilege
  FROM home h JOIN pg_class c ON c.relnamespace = h.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f'),
       LATERAL (SELECT CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END AS grantee, x.privilege_type AS privilege
                  FROM aclexplode(c.relacl) x WHERE x.grantee <> c.relowner) a
UNION ALL
SELECT 'table', c.relname::text, t.attname::text, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type
  FROM home h JOIN pg_class c ON c.relnamespace = h.oid JOIN pg_attribute t ON t.attrelid = c.oid AND NOT t.attisdropped,
       LATERAL aclexplode(t.attacl) x WHERE x.grantee <> c.relowner
UNION ALL
SELECT 'sequence', o.relname::text, NULL, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type
  FROM home h JOIN pg_class s ON s.relnamespace = h.oid AND s.relkind = 'S'
       JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
       JOIN pg_class o ON o.oid = d.refobjid, LATERAL aclexplode(s.relacl) x WHERE x.grantee <> s.relowner
UNION ALL
SELECT 'function', p.proname::text, NULL, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type
  FROM home h JOIN pg_proc p ON p.pronamespace = h.oid,
       LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner
UNION ALL
SELECT 'schema', n.nspname::text, NULL, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type
  FROM home h JOIN pg_namespace n ON n.oid = h.oid,
       LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x WHERE x.grantee <> n.nspowner
UNION ALL
SELECT 'default', d.defaclobjtype::text, NULL, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type
  FROM pg_default_acl d, LATERAL aclexplode(d.defaclacl) x WHERE x.grantee <> d.defaclrole
UNION ALL
SELECT 'database', d.datname::text, NULL, CASE x.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END, x.privilege_type
  FROM pg_database d, LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
 WHERE d.datname = current_database() AND x.grantee <> d.datdba
