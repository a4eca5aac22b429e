DROP FUNCTION youtility_tasks_checkpoint_v1, youtility_tasks_progress_v1;
ALTER TABLE procrastinate_jobs DROP COLUMN progress, DROP COLUMN progress_note, DROP COLUMN checkpoint;
