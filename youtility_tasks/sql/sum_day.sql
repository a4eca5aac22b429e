SELECT s.day FROM youtility_tasks_sum_day_v1(%(since)s, %(until)s) s
