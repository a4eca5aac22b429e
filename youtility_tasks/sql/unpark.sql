SELECT youtility_tasks_unpark_v1(%(queue_name)s, %(control_id)s, %(most)s)
