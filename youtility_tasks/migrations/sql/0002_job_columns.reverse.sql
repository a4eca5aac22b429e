DROP INDEX youtility_tasks_jobs_unique_key, youtility_tasks_jobs_ready, youtility_tasks_jobs_due,
           youtility_tasks_jobs_lock_order, youtility_tasks_jobs_dead_letters;
ALTER TABLE procrastinate_jobs
    DROP COLUMN tenant_id, DROP COLUMN enqueued_at, DROP COLUMN claim_number, DROP COLUMN claimed_at,
    DROP COLUMN failed_at, DROP COLUMN crash_count, DROP COLUMN rescue_count, DROP COLUMN unique_key;
