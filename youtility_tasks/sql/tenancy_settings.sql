-- Settings with which sessions of these users begin, of those that change what a statement means or whether it works. Every user may
-- set them for himself, and so may whoever has SQL in one of his sessions.
SELECT r.rolname::text, split_part(s, '=', 1)
  FROM pg_db_role_setting d JOIN pg_roles r ON r.oid = d.setrole, unnest(d.setconfig) s
 WHERE d.setdatabase = 0 AND r.rolname = ANY (%(names)s::text[])
   AND split_part(s, '=', 1) ~* '^(youtility_tasks[.].*|search_path|role|row_security|timezone|datestyle|intervalstyle|client_encoding|bytea_output|default_transaction_.*|local_preload_libraries|standard_conforming_strings|transform_null_equals|plan_cache_mode|enable_.*)$'
 ORDER BY 1, 2
