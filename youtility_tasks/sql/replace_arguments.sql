UPDATE procrastinate_jobs SET args = %(args)s::jsonb, lock = %(lock)s, queueing_lock = %(queueing_lock)s WHERE id = %(id)s
