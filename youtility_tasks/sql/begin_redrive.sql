-- A redrive, or none if one that asks for the very same goes on already.
INSERT INTO youtility_tasks_redrive
       (tenant_id, task_name, queue_name, fingerprint, failed_since, failed_until, rate_per_s, edits, edited, key, reason, started_by,
        total_count, done_count, refused_count, refused, after_id, is_stopped)
VALUES (%(tenant_id)s::integer, %(task_name)s, %(queue_name)s, %(fingerprint)s, %(failed_since)s::timestamptz,
        least(%(failed_until)s::timestamptz, clock_timestamp()), %(rate_per_s)s::float8, %(edits)s::jsonb, %(edited)s::jsonb, %(key)s, %(reason)s,
        %(started_by)s, 0, 0, 0, '[]', 0, false)
ON CONFLICT (tenant_id, key) WHERE ended_at IS NULL DO NOTHING
RETURNING id, failed_until
