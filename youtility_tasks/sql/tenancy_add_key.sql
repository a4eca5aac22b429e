-- Enter the key; the one before it stays, so that tokens under way are good, and what is older goes.
WITH added AS (
    INSERT INTO youtility_tasks_keys (id, inner_pad, outer_pad) VALUES (%(id)s, %(inner_pad)s, %(outer_pad)s)
), gone AS (
    DELETE FROM youtility_tasks_keys k WHERE k.id NOT IN (SELECT l.id FROM youtility_tasks_keys l ORDER BY l.added_at DESC LIMIT 1)
)
SELECT 1
