-- Settings with which sessions of these users begin here, of those that change what a statement means, whether it works, or whether what it
-- commits outlives a crash; and the database, if it is for this one alone. Every user may set them for himself, and so may whoever has SQL in one of his sessions.
SELECT r.rolname::text, split_part(s, '=', 1), CASE WHEN d.setdatabase <> 0 THEN current_database()::text END
  FROM pg_db_role_setting d JOIN pg_roles r ON r.oid = d.setrole, unnest(d.setconfig) s
 WHERE r.rolname = ANY (%(names)s::text[])
   AND d.setdatabase IN (0, (SELECT b.oid FROM pg_database b WHERE b.datname = current_database()))
   AND lower(split_part(s, '=', 1)) IN (
           'search_path', 'role', 'row_security', 'timezone', 'datestyle', 'intervalstyle', 'client_encoding', 'bytea_output',
           'standard_conforming_strings', 'transform_null_equals', 'local_preload_libraries', 'default_transaction_read_only',
           'default_transaction_isolation', 'default_transaction_deferrable', 'synchronous_commit', 'array_nulls', 'extra_float_digits')
 ORDER BY 1, 2
