UPDATE youtility_tasks_redrive r SET ended_at = clock_timestamp(), is_stopped = true, edits = '{}'
 WHERE r.id = %(redrive_id)s AND r.ended_at IS NULL
