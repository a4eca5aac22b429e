-- Take the right to do an effect now. A reservation of this very job is taken over at once: the claim's fence says that
-- its earlier attempt is dead. Another job's lapses with its lease.
INSERT INTO youtility_tasks_taskeffect AS e (tenant_id, key, task_name, bu_id, status, job_id, payload, note, lease_until)
VALUES (%(tenant_id)s, %(key)s, %(task_name)s, %(bu_id)s, 'reserved', %(job_id)s, %(payload)s::jsonb, '',
        clock_timestamp() + %(lease_s)s * interval '1 second')
ON CONFLICT (tenant_id, key) DO UPDATE
   SET status = 'reserved', job_id = excluded.job_id, lease_until = excluded.lease_until,
       payload = coalesce(e.payload, excluded.payload)
 WHERE e.status = 'pending'
    OR (e.status = 'reserved' AND (e.lease_until < clock_timestamp() OR e.job_id = excluded.job_id))
RETURNING e.key, e.note
