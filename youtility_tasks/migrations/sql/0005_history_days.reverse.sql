DROP FUNCTION get_queue_statistics(), cleanup_old_tasks(jsonb, boolean, integer, timestamptz, text, text, integer),
              youtility_tasks_keep_days_v1(jsonb, text, text), youtility_tasks_drop_history_day_v1(date),
              youtility_tasks_add_history_day_v1(date, integer), youtility_tasks_history_days_v1();
DROP INDEX youtility_tasks_jobs_left_behind;
