-- Of the tables that Django's flush leaves alone, since it does not manage them.
WITH events AS (DELETE FROM procrastinate_events), defers AS (DELETE FROM procrastinate_periodic_defers),
     attempts AS (DELETE FROM youtility_tasks_history), jobs AS (DELETE FROM procrastinate_jobs RETURNING 1)
SELECT count(*) FROM jobs
