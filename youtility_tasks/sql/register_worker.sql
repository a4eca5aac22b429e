SELECT youtility_tasks_register_v1(%(host)s, %(pid)s, %(supervisor_pid)s, %(queue_name)s, %(slots)s)
