SELECT f.added, f.is_all FROM youtility_tasks_fold_v1(%(most)s, %(late_s)s, %(names)s::jsonb) f
