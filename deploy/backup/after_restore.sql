-- Made from templates/ by `make deploy`. The epoch after a restore: run it as the owner, before anybody else may connect.
--   psql -X -v ON_ERROR_STOP=1 -1 -f after_restore.sql youtility
-- The database has gone back in time; mails, files, other systems and workers that were cut off have not. So what was waiting
-- may have been done meanwhile, and what is numbered next may have been numbered before.

-- Row level security is forced on owners too, and would hide jobs without a word.
DO $$
BEGIN
    IF NOT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'The role % does not see all jobs; right is a superuser, or a role with BYPASSRLS. Nothing was changed.', current_user;
    END IF;
END
$$;

-- Ids of jobs are in effect keys, Message-IDs and other systems' records: none is given out again.
SELECT setval('procrastinate_jobs_id_seq', nextval('procrastinate_jobs_id_seq') + 1000000000);
SELECT setval('procrastinate_workers_id_seq', nextval('procrastinate_workers_id_seq') + 1000000000);

-- A worker that was cut off holds (job, worker, claim number) of a time that is no more: what it brings is refused.
UPDATE procrastinate_jobs SET claim_number = claim_number + 1000000000 WHERE status = 'doing';

-- Nothing that was waiting is run again silently: every queue is paused until somebody has looked and resumes it.
INSERT INTO youtility_tasks_queuecontrol (queue_name, task_name, burst, is_paused, paused_at, paused_by, reason, changed_by)
VALUES
    ('high_priority', '', 1, true, now(), 'restore', 'restored from a backup', 'restore'),
    ('email', '', 1, true, now(), 'restore', 'restored from a backup', 'restore'),
    ('reports', '', 1, true, now(), 'restore', 'restored from a backup', 'restore'),
    ('maintenance', '', 1, true, now(), 'restore', 'restored from a backup', 'restore')
ON CONFLICT (queue_name, task_name, tenant_id) DO UPDATE
SET is_paused = true, paused_until = NULL, paused_at = now(), paused_by = 'restore', reason = 'restored from a backup', changed_by = 'restore', changed_at = now();
