SELECT t.id FROM youtility_tasks_tenant t ORDER BY t.id LIMIT %(most)s
