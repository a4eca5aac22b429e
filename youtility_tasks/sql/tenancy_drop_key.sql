DELETE FROM youtility_tasks_keys k WHERE k.id = %(id)s
