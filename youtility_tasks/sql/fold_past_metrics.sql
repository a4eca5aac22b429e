SELECT f.added, f.is_all FROM youtility_tasks_fold_past_v1(%(most)s, %(names)s::jsonb) f
