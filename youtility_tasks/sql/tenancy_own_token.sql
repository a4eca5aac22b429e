-- Whether the database knows the key that this process signs with: it refuses a token that it cannot verify.
WITH sent AS MATERIALIZED (SELECT set_config('youtility_tasks.token', %(token)s, true) AS token)
SELECT CASE WHEN s.token <> '' THEN youtility_tasks_tenant_v1() END FROM sent s
