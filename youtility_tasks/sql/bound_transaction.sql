-- A lower limit of the role stays. Nor is machine code made for a page: that takes longer than all of its statements.
SELECT set_config('jit', 'off', true),
       (SELECT set_config('statement_timeout', %(deadline_ms)s::integer::text, true)
          FROM pg_settings s WHERE s.name = 'statement_timeout' AND s.setting::integer NOT BETWEEN 1 AND %(deadline_ms)s::integer)
