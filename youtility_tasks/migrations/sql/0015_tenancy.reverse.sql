ALTER TABLE procrastinate_jobs
    ALTER COLUMN tenant_id SET DEFAULT coalesce(nullif(current_setting('youtility_tasks.tenant', true), '')::integer, 0);
DROP TRIGGER youtility_tasks_tell_abort ON procrastinate_jobs;
DROP TRIGGER youtility_tasks_notify_aborted ON procrastinate_jobs;
ALTER TABLE procrastinate_jobs ENABLE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1;
DROP FUNCTION youtility_tasks_tell_abort_v1, youtility_tasks_next_due_v1, youtility_tasks_sealed_keys_v1, youtility_tasks_queue_sums_v1, youtility_tasks_history_gaps_v1, youtility_tasks_retry_v1, youtility_tasks_abort_v1,
              youtility_tasks_enqueue_signed_v1, youtility_tasks_cancel_v1, youtility_tasks_scope_v1, youtility_tasks_any_tenant_v1, youtility_tasks_tenant_v1;
DROP TABLE youtility_tasks_keys;
DROP INDEX youtility_tasks_jobs_dead_of_tenant;
ALTER FUNCTION youtility_tasks_add_history_day_v1 SECURITY INVOKER RESET search_path;
ALTER FUNCTION youtility_tasks_drop_history_day_v1 SECURITY INVOKER RESET search_path;
ALTER FUNCTION youtility_tasks_stop_stragglers_v1 SECURITY INVOKER RESET search_path;
ALTER FUNCTION youtility_tasks_keep_tenant_v1 SECURITY INVOKER RESET search_path;
ALTER FUNCTION cleanup_old_tasks SECURITY INVOKER RESET search_path;
GRANT EXECUTE ON FUNCTION youtility_tasks_add_history_day_v1, youtility_tasks_drop_history_day_v1, youtility_tasks_stop_stragglers_v1, youtility_tasks_keep_tenant_v1,
                          cleanup_old_tasks TO PUBLIC;
