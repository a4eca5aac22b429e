SELECT youtility_tasks_api_take_v1(%(who)s, %(rate_per_s)s, %(burst)s)
