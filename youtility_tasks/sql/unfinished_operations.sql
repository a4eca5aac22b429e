SELECT u.id, u.tenant_id FROM youtility_tasks_unfinished_operations_v1(%(but_not)s::bigint[], %(most)s) u
