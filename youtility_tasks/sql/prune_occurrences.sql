-- Occurrences that are past the retention of the history, a batch at a time, oldest first.
WITH old AS (
    SELECT e.id FROM youtility_tasks_scheduledtaskexecution e
     WHERE e.decided_at < %(now)s::timestamptz - %(days)s::float8 * interval '1 day' ORDER BY e.decided_at LIMIT %(most)s::integer
)
DELETE FROM youtility_tasks_scheduledtaskexecution e USING old WHERE e.id = old.id
