-- What a schedule says and how it goes on.

-- An occurrence belongs to a schedule of its own tenant, whatever somebody writes.
ALTER TABLE youtility_tasks_scheduledtaskexecution ADD CONSTRAINT yt_occurrence_of_schedule
    FOREIGN KEY (tenant_id, schedule_id) REFERENCES youtility_tasks_scheduledtask (tenant_id, id) ON DELETE CASCADE;

-- Whoever changes what a schedule says, by whatever way: it is another version, counts from now, and workers look at it at once.
CREATE FUNCTION youtility_tasks_schedule_version_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    not_said CONSTANT text[] := '{id,created_at,changed_at,changed_by,version,settled_to,next_at,live_jobs,declared,is_paused,paused_at,paused_until,paused_by,pause_reason}';
BEGIN
    IF (to_jsonb(NEW) - not_said) IS DISTINCT FROM (to_jsonb(OLD) - not_said) THEN
        NEW.version := OLD.version + 1;
        NEW.changed_at := clock_timestamp();
        IF NEW.next_at IS NOT DISTINCT FROM OLD.next_at AND NEW.removed_at IS NULL THEN
            NEW.settled_to := greatest(NEW.settled_to, clock_timestamp());
            NEW.next_at := clock_timestamp();
        END IF;
    ELSE
        NEW.version := OLD.version;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER youtility_tasks_schedule_version BEFORE UPDATE ON youtility_tasks_scheduledtask
    FOR EACH ROW EXECUTE FUNCTION youtility_tasks_schedule_version_v1();

-- Workers sleep until the next tick that they know of. No id goes out: whoever listens hears of every tenant.
CREATE FUNCTION youtility_tasks_tell_schedules_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('youtility_tasks_schedules', '');
    RETURN NULL;
END $$;
CREATE TRIGGER youtility_tasks_new_schedule AFTER INSERT ON youtility_tasks_scheduledtask
    FOR EACH ROW WHEN (NEW.next_at IS NOT NULL) EXECUTE FUNCTION youtility_tasks_tell_schedules_v1();
CREATE TRIGGER youtility_tasks_sooner_schedule AFTER UPDATE ON youtility_tasks_scheduledtask
    FOR EACH ROW WHEN (NEW.next_at < OLD.next_at OR (NEW.next_at IS NOT NULL AND OLD.next_at IS NULL))
    EXECUTE FUNCTION youtility_tasks_tell_schedules_v1();
