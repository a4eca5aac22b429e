-- Wake the workers of a queue: procrastinate notifies on insert only, and a job that waits again was not inserted.
SELECT pg_notify('procrastinate_queue_v1#' || %(queue_name)s, '{"type": "job_inserted"}')
