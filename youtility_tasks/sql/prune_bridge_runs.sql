-- Runs of Celery's side, and of shadows, that are past the retention of the history, a batch at a time, oldest first.
WITH old AS (
    SELECT r.id FROM youtility_tasks_bridgerun r
     WHERE r.finished_at < %(now)s::timestamptz - %(days)s::float8 * interval '1 day' ORDER BY r.finished_at LIMIT %(most)s::integer
)
DELETE FROM youtility_tasks_bridgerun r USING old WHERE r.id = old.id
