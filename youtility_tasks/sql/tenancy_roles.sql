-- Some roles, what they may, and of whom they are members, directly or not. What merely administers a role is no member.
SELECT r.rolname::text, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolinherit,
       ARRAY(SELECT o.rolname::text FROM pg_roles o
              WHERE NOT r.rolsuper AND o.oid <> r.oid AND pg_has_role(r.oid, o.oid, 'USAGE') ORDER BY 1)
  FROM pg_roles r WHERE r.rolname = ANY (%(names)s::text[])
