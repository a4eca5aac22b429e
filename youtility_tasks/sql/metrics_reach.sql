-- Now, and since when attempts may be in the history that are in no minute yet.
SELECT clock_timestamp(), coalesce((SELECT m.folded_at FROM youtility_tasks_metricsmark m), clock_timestamp()) - %(late_s)s * interval '1 second'
