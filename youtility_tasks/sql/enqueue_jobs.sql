-- Insert many jobs as one statement, in the caller's transaction, and wake their queues: once each, however many jobs.
-- Ids are drawn first: with ON CONFLICT DO NOTHING the rows that come back no longer line up with the rows that went in.
WITH wanted AS MATERIALIZED (
    SELECT nextval('procrastinate_jobs_id_seq') AS id, w.*
      FROM unnest(
             %(queue_names)s::text[], %(task_names)s::text[], %(priorities)s::integer[], %(locks)s::text[],
             %(queueing_locks)s::text[], %(args)s::text[], %(scheduled_ats)s::timestamptz[], %(unique_keys)s::text[],
             %(tenant_ids)s::integer[])
           WITH ORDINALITY AS w(queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, n)
), allowed AS MATERIALIZED (
    SELECT t.id FROM youtility_tasks_tenant t WHERE t.is_active AND t.id = ANY (%(tenant_ids)s::integer[])
), written AS (
    INSERT INTO procrastinate_jobs
           (id, queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, noted)
    SELECT w.id, w.queue_name, w.task_name, w.priority, w.lock, w.queueing_lock, w.args::jsonb, w.scheduled_at,
           w.unique_key, w.tenant_id, %(noted)s
      FROM wanted w
     WHERE w.tenant_id = 0 OR w.tenant_id IN (SELECT a.id FROM allowed a)
     ORDER BY w.queueing_lock, w.unique_key, w.n  -- in one order for everybody: two batches wait, and never for each other
    ON CONFLICT DO NOTHING
    RETURNING id, queue_name, enqueued_at
), woken AS MATERIALIZED (
    -- With the server's notification queue more than half full nobody is woken: a full one would fail this transaction,
    -- and workers poll.
    SELECT count(pg_notify(c.channel, '{"type": "job_inserted", "job_id": 0}')) AS n
      FROM (SELECT 'procrastinate_queue_v1#' || x.queue_name AS channel FROM written x
             UNION SELECT 'procrastinate_any_queue_v1' FROM written x) c
     WHERE NOT %(noted)s AND pg_notification_queue_usage() < 0.5
)
SELECT w.n::integer, w.id, x.enqueued_at, x.id IS NOT NULL AS is_written,
       w.tenant_id = 0 OR w.tenant_id IN (SELECT a.id FROM allowed a) AS tenant_is_known
  FROM wanted w LEFT JOIN written x ON x.id = w.id CROSS JOIN woken
 ORDER BY w.n
