ALTER TABLE procrastinate_jobs DROP COLUMN trace;
ALTER TABLE youtility_tasks_taskworkflow DROP COLUMN trace;
