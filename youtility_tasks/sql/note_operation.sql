-- How far an operation has come.
UPDATE youtility_tasks_taskoperation o
   SET after_id = %(after_id)s, done_count = o.done_count + %(done)s, refused_count = o.refused_count + %(refused_count)s,
       refused = o.refused || %(refused)s::jsonb, next_at = %(next_at)s::timestamptz,
       ended_at = CASE WHEN %(is_over)s THEN clock_timestamp() END
 WHERE o.id = %(operation_id)s
RETURNING o.done_count, o.refused_count
