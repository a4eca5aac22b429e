-- Ids of Celery's that nobody can ask for any more, a batch at a time: their history is gone, and no job of theirs is left.
WITH old AS (
    SELECT c.id FROM youtility_tasks_bridgecall c
     WHERE c.at < %(now)s::timestamptz - make_interval(days => %(days)s::integer)
       AND NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.id = c.job_id)
     ORDER BY c.at LIMIT %(most)s::integer
)
DELETE FROM youtility_tasks_bridgecall c USING old WHERE c.id = old.id
