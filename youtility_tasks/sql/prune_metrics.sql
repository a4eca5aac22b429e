SELECT p.resolution_s, p.row_count
  FROM youtility_tasks_prune_metrics_v1(%(now)s, %(minute_days)s, %(hour_days)s, %(most)s, %(dry_run)s) p
