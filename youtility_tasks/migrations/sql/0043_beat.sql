-- An end of a schedule, and of its jobs, is an edit like any other: whoever makes it enters it.
DROP TRIGGER youtility_tasks_guard ON youtility_tasks_scheduledtask;
CREATE CONSTRAINT TRIGGER youtility_tasks_guard
    AFTER INSERT OR UPDATE OF tenant_id, name, task_name, args, tick_argument, queue_name, priority, kind, cron, every_s, at, zone, until, days,
        working_weekdays, site_id, quiet_from, quiet_to, jitter_s, missed, missed_most, grace_s, overlap, expire_s, is_paused, paused_at,
        paused_until, paused_by, pause_reason, removed_at OR DELETE ON youtility_tasks_scheduledtask
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('schedule');
