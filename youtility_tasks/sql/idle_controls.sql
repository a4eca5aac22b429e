-- The controls that keep nothing back: no limit, and no pause or one that is over.
SELECT c.id FROM youtility_tasks_queuecontrol c
 WHERE c.max_running IS NULL AND c.rate_per_s IS NULL AND (NOT c.is_paused OR c.paused_until <= clock_timestamp()) ORDER BY c.id
