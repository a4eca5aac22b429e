-- The schedule, if it is due and nobody else has it; with the time that decides. Whatever the transaction does afterwards waits
-- for no lock longer than this: another schedule's tick must not wait for the job of this one. And whoever is frozen in the
-- middle of it loses his session, so that others can go on.
SELECT clock_timestamp(), set_config('lock_timeout', %(lock_ms)s::text, true),
       set_config('idle_in_transaction_session_timeout', %(idle_ms)s::text, true)
  FROM youtility_tasks_scheduledtask s
 WHERE s.id = %(schedule_id)s AND s.tenant_id = %(tenant_id)s AND s.next_at <= clock_timestamp()
   FOR UPDATE SKIP LOCKED
