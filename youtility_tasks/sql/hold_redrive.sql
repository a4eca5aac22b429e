-- A redrive that goes on, for the one who takes its next batch; and when the next letter comes due: those that are late do not
-- come all at once.
SELECT r.tenant_id, r.task_name, r.queue_name, r.fingerprint, r.failed_since, r.failed_until, r.rate_per_s, r.edited, r.reason, r.after_id,
       greatest(r.next_at, clock_timestamp())
  FROM youtility_tasks_redrive r
 WHERE r.id = %(redrive_id)s AND r.ended_at IS NULL
   FOR UPDATE
