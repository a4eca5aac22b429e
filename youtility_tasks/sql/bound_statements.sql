-- Let the server end a statement by itself once nobody waits for its answer any more: one that waits for a lock does not notice
-- that its client has gone, and keeps what it has locked. A lower limit of the role stays.
SELECT set_config('statement_timeout', %(deadline_ms)s::integer::text, false)
  FROM pg_settings s WHERE s.name = 'statement_timeout' AND s.setting::integer NOT BETWEEN 1 AND %(deadline_ms)s::integer
