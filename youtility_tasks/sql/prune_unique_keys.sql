-- Keys whose period is over, a batch at a time. A call that takes one again at this moment waits for this, and has it anew.
WITH over AS (
    SELECT k.id FROM youtility_tasks_uniquekey k WHERE k.held_until < clock_timestamp() - interval '1 minute'
     ORDER BY k.held_until LIMIT %(most)s::integer
)
DELETE FROM youtility_tasks_uniquekey k USING over WHERE k.id = over.id AND k.held_until < clock_timestamp()
