DROP FUNCTION youtility_tasks_glance_v1(integer, double precision);
DROP FUNCTION youtility_tasks_count_queues_v1();
DROP FUNCTION youtility_tasks_counted_v1(integer);
