DROP FUNCTION youtility_tasks_import_attempts_v1(jsonb);
DROP FUNCTION youtility_tasks_used_attempts_v1(bigint, integer);
