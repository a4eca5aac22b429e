SELECT o.overdue, o.timed_out, o.stopped FROM youtility_tasks_flows_overdue_v1(%(most)s) o
