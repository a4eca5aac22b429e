SELECT youtility_tasks_flows_prune_v1(%(before)s, %(most)s)
