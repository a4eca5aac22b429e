-- What this session's claims remember of the turns of tenants and locks: each drain of a test begins alike.
SELECT set_config('youtility_tasks.turns', '', false), set_config('youtility_tasks.tenants_from', '', false),
       set_config('youtility_tasks.locks_from', '', false)
