-- Redrives that ended before the days that are kept, a batch at a time, oldest first. Their letters are none of theirs any more.
WITH old AS (
    SELECT r.id FROM youtility_tasks_redrive r
     WHERE r.ended_at < date_trunc('day', %(now)s::timestamptz, 'UTC') - %(days)s::float8 * interval '1 day' ORDER BY r.ended_at LIMIT %(most)s::integer
)
DELETE FROM youtility_tasks_redrive r USING old WHERE r.id = old.id
