SELECT pg_advisory_xact_lock(hashtextextended('youtility_tasks route ' || %(task_name)s, 0))
