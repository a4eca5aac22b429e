SELECT s.untold, s.unreleased FROM youtility_tasks_flows_sweep_v1(%(most)s) s
