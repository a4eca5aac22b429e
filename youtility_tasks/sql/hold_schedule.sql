-- The schedule for whoever changes it: waits for a worker that fires it now.
SELECT s.id FROM youtility_tasks_scheduledtask s
 WHERE s.tenant_id = %(tenant_id)s AND s.name = %(name)s
   FOR UPDATE
