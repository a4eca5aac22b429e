SELECT o.id, o.tenant_id FROM youtility_tasks_taskoperation o
 WHERE o.ended_at IS NULL AND o.id <> ALL (%(but_not)s::bigint[]) ORDER BY o.id LIMIT %(most)s
