-- Who this session is, whether it may make roles, and whether it may act as the owner's group.
SELECT r.rolname::text, r.rolsuper, r.rolsuper OR r.rolcreaterole, n.nspname::text, pg_get_userbyid(n.nspowner)::text
  FROM pg_roles r, pg_namespace n WHERE r.rolname = current_user
   AND n.oid = (SELECT j.relnamespace FROM pg_class j WHERE j.oid = 'procrastinate_jobs'::regclass)
