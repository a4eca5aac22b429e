-- A process that was given up and registers anew is still the one that somebody told to be quiet.
UPDATE youtility_tasks_taskworker n
   SET told = o.told, told_at = o.told_at, told_by = o.told_by, told_reason = o.told_reason
  FROM youtility_tasks_taskworker o
 WHERE n.id = %(worker_id)s AND o.id = %(before)s AND o.told <> ''
RETURNING n.told
