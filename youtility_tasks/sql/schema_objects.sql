-- What stands in the database of these tables and functions, as far as this connection's search path sees it.
SELECT 'column', c.relname || '.' || a.attname
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relname = ANY (%(tables)s::text[]) AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)
UNION ALL
SELECT 'index', i.relname::text
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
 WHERE c.relname = ANY (%(tables)s::text[]) AND pg_table_is_visible(c.oid) AND x.indisvalid
UNION ALL
SELECT 'constraint', k.conname::text
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relname = ANY (%(tables)s::text[]) AND pg_table_is_visible(c.oid) AND k.convalidated
UNION ALL
SELECT 'function', p.proname::text FROM pg_proc p
 WHERE p.proname = ANY (%(functions)s::text[]) AND pg_function_is_visible(p.oid)
