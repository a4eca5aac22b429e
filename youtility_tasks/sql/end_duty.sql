UPDATE youtility_tasks_upkeepduty d
   SET ended_at = clock_timestamp(), done_count = %(done_count)s, error = %(error)s,
       begun_at = CASE WHEN %(again)s THEN to_timestamp(0) ELSE d.begun_at END
 WHERE d.name = %(name)s
