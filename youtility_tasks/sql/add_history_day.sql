SELECT youtility_tasks_add_history_day_v1(%(day)s::date)
