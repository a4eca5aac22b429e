-- As in 0008, but that a transaction leaves the waking to another only if that one decided in the same 50 ms, and asks again
-- with each row. One that takes long to commit, or fails at it (deferred foreign keys), or decided early (SET CONSTRAINTS
-- ALL IMMEDIATE) and stays open, kept everybody's jobs waiting for the next poll.
CREATE OR REPLACE FUNCTION youtility_tasks_wake_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    this_moment text;
BEGIN
    IF current_setting('youtility_tasks.woken', true) = NEW.queue_name THEN
        RETURN NULL;  -- by an earlier row of this transaction
    END IF;
    this_moment := NEW.queue_name || floor(extract(epoch FROM clock_timestamp()) * 20);
    IF pg_notification_queue_usage() < 0.5
       AND pg_try_advisory_xact_lock(hashtext('youtility_tasks_wake'), hashtext(this_moment)) THEN
        PERFORM set_config('youtility_tasks.woken', NEW.queue_name, true);
        PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, '{"type": "job_inserted", "job_id": 0}'),
                pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
    END IF;
    RETURN NULL;
END $$;
