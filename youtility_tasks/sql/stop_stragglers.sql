SELECT s.stopped, s.is_all FROM youtility_tasks_stop_stragglers_v1(%(now)s) s
