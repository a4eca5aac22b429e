-- Mark a reserved effect done, or pending again; only its holder may.
UPDATE youtility_tasks_taskeffect e
   SET status = %(status)s::text, lease_until = NULL, note = %(note)s,
       done_at = CASE WHEN %(status)s::text = 'done' THEN clock_timestamp() END
 WHERE e.tenant_id = %(tenant_id)s AND e.key = %(key)s AND e.status = 'reserved'
   AND e.job_id IS NOT DISTINCT FROM %(job_id)s
