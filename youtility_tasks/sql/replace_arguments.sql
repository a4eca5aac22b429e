UPDATE procrastinate_jobs j
   SET args = n.args::jsonb, lock = n.lock, queueing_lock = n.queueing_lock, unique_key = n.unique_key, done_key = n.done_key
  FROM unnest(%(ids)s::bigint[], %(args)s::text[], %(locks)s::text[], %(queueing_locks)s::text[],
              %(unique_keys)s::text[], %(done_keys)s::text[])
       AS n(id, args, lock, queueing_lock, unique_key, done_key)
 WHERE j.id = n.id
