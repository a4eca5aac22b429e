SELECT queue_name, slots FROM youtility_tasks_served_v1(%(lease_s)s)
