-- The days that need a partition: today and so many ahead, and those of which DEFAULT holds attempts that nobody may prune yet.
WITH today AS (
    SELECT (%(now)s::timestamptz AT TIME ZONE 'UTC')::date AS day
), wanted AS (
    SELECT t.day + n AS day FROM today t, generate_series(0, %(ahead)s) n
    UNION
    SELECT DISTINCT (h.finished_at AT TIME ZONE 'UTC')::date FROM today t, youtility_tasks_history_default h
     WHERE h.finished_at >= (t.day - %(keep_days)s)::timestamp AT TIME ZONE 'UTC' AND h.finished_at < %(now)s
)
SELECT w.day FROM wanted w WHERE NOT EXISTS (SELECT 1 FROM youtility_tasks_history_days_v1() d WHERE d.day = w.day) ORDER BY w.day DESC
