SELECT youtility_tasks_unregister_v1(%(worker_id)s)
