DROP FUNCTION youtility_tasks_turns_v1, youtility_tasks_turns_after_v1, youtility_tasks_floors_after_v1,
              youtility_tasks_tenants_ready_v1, youtility_tasks_ready_v1, youtility_tasks_locks_v1, youtility_tasks_due_v1, youtility_tasks_lock_heads_v2;
DROP INDEX youtility_tasks_jobs_ready_free, youtility_tasks_jobs_due_free, youtility_tasks_jobs_due_order, youtility_tasks_jobs_locks,
           youtility_tasks_jobs_worker;
CREATE INDEX youtility_tasks_jobs_ready_free ON procrastinate_jobs (queue_name, (-priority), id)
    WHERE status = 'todo' AND scheduled_at IS NULL AND lock IS NULL;
CREATE INDEX youtility_tasks_jobs_due_free ON procrastinate_jobs (queue_name, scheduled_at)
    WHERE status = 'todo' AND scheduled_at IS NOT NULL AND lock IS NULL;
CREATE INDEX youtility_tasks_jobs_locks ON procrastinate_jobs (queue_name, lock)
    WHERE status = 'todo' AND lock IS NOT NULL;
ALTER TABLE procrastinate_jobs DROP COLUMN parked_by;
