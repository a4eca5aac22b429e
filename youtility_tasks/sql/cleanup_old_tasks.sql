SELECT c.kind, c.day, c.name, c.row_count
  FROM cleanup_old_tasks(%(retention)s::jsonb, %(dry_run)s::boolean, %(most)s::integer, %(now)s::timestamptz,
                         %(outcome)s::text, %(task_name)s::text, %(tenant_id)s::integer) c
