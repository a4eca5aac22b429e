-- The trace that a job, or a workflow's run, belongs to, as the W3C writes it: "traceparent", then "tracestate" if there is one. Whoever
-- enqueues under a trace sets it for the transaction, and a row that is written there takes it with it, by whichever statement it comes.
-- Only a default that comes later rewrites no rows. No index names these columns.
ALTER TABLE procrastinate_jobs ADD COLUMN trace text;
ALTER TABLE procrastinate_jobs ALTER COLUMN trace SET DEFAULT nullif(current_setting('youtility_tasks.trace', true), '');
ALTER TABLE youtility_tasks_taskworkflow ADD COLUMN trace text;
ALTER TABLE youtility_tasks_taskworkflow ALTER COLUMN trace SET DEFAULT nullif(current_setting('youtility_tasks.trace', true), '');
