-- An operation that goes on, for the one who takes its next batch, unless somebody else is at it; and when the next job comes due: those
-- that are late do not come all at once. Whoever is frozen in the middle of it loses his session, so that others can go on.
SELECT greatest(o.next_at, clock_timestamp()), set_config('idle_in_transaction_session_timeout', %(idle_ms)s::text, true)
  FROM youtility_tasks_taskoperation o
 WHERE o.id = %(operation_id)s AND o.ended_at IS NULL
   FOR UPDATE SKIP LOCKED
