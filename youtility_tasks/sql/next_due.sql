SELECT n.due_s, n.waits_for_lock FROM youtility_tasks_next_due_v1(%(queue_name)s, %(worker_id)s) n
