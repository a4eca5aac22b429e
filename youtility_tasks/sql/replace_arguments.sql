UPDATE procrastinate_jobs j
   SET args = n.args::jsonb, lock = n.lock, queueing_lock = n.queueing_lock
  FROM unnest(%(ids)s::bigint[], %(args)s::text[], %(locks)s::text[], %(queueing_locks)s::text[])
       AS n(id, args, lock, queueing_lock)
 WHERE j.id = n.id
