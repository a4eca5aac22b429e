-- Each further batch of the same letters goes on behind those that were moved before.
SELECT r.job_id, r.task_name, r.queue_name, r.tenant_id, r.refused
  FROM youtility_tasks_redrive_v1(
         %(job_ids)s::bigint[], %(claims)s::bigint[], %(args)s::text[], %(was)s::text[], %(locks)s::text[], %(queueing_locks)s::text[],
         coalesce(%(first_at)s::timestamptz, clock_timestamp()) + %(before)s * %(spacing_s)s::float8 * interval '1 second',
         %(spacing_s)s::float8, %(tenant_id)s::integer) r
