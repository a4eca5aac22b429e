SELECT d.id, d.tenant_id, d.in_s FROM youtility_tasks_due_schedules_v1(%(but_not)s::bigint[], %(most)s) d
