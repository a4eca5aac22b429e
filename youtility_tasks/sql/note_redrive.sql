-- How far a redrive has come.
UPDATE youtility_tasks_redrive r
   SET after_id = %(after_id)s, done_count = r.done_count + %(done)s, refused_count = r.refused_count + %(refused_count)s,
       refused = r.refused || %(refused)s::jsonb, next_at = %(next_at)s::timestamptz,
       ended_at = CASE WHEN %(is_over)s THEN clock_timestamp() END
 WHERE r.id = %(redrive_id)s
