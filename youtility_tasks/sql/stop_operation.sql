UPDATE youtility_tasks_taskoperation o SET ended_at = clock_timestamp(), is_stopped = true
 WHERE o.id = %(operation_id)s AND o.ended_at IS NULL
