SELECT g.day FROM youtility_tasks_history_gaps_v1(%(now)s::timestamptz, %(ahead)s, %(keep_days)s) g(day)
