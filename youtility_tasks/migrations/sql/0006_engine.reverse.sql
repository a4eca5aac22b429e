-- Give back jobs of a worker, nothing used up; the ids that really went back. One that was asked to end meanwhile ends.
CREATE OR REPLACE FUNCTION youtility_tasks_give_back_v1(p_worker_id bigint, p_host text, p_ids bigint[])
RETURNS bigint[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    released jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('id', j.id, 'claim_number', j.claim_number, 'verdict', 'released', 'outcome', 'lost'))
      INTO released
      FROM procrastinate_jobs j WHERE j.id = ANY (p_ids) AND j.worker_id = p_worker_id AND j.status = 'doing';
    IF released IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN youtility_tasks_finish_v1(p_worker_id, p_host, released);
END $$;

DROP FUNCTION youtility_tasks_enqueue_v1, youtility_tasks_pump_v2, youtility_tasks_finish_v2, youtility_tasks_claim_v2, youtility_tasks_lock_heads_v1,
              youtility_tasks_first_of_locks_v1;
DROP INDEX youtility_tasks_jobs_ready_free, youtility_tasks_jobs_due_free, youtility_tasks_jobs_ready_locked,
           youtility_tasks_jobs_due_locked, youtility_tasks_jobs_locks;
CREATE INDEX youtility_tasks_jobs_ready ON procrastinate_jobs (queue_name, (-priority), id)
    WHERE status = 'todo' AND scheduled_at IS NULL;
CREATE INDEX youtility_tasks_jobs_due ON procrastinate_jobs (queue_name, scheduled_at)
    WHERE status = 'todo' AND scheduled_at IS NOT NULL;
DROP TRIGGER youtility_tasks_notify_inserted ON procrastinate_jobs;
DROP TRIGGER youtility_tasks_events_insert ON procrastinate_jobs;
DROP TRIGGER youtility_tasks_events_update ON procrastinate_jobs;
DROP TRIGGER youtility_tasks_events_scheduled ON procrastinate_jobs;
ALTER TABLE procrastinate_jobs ENABLE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1;
ALTER TABLE procrastinate_jobs ENABLE TRIGGER procrastinate_trigger_status_events_insert_v1;
ALTER TABLE procrastinate_jobs ENABLE TRIGGER procrastinate_trigger_status_events_update_v1;
ALTER TABLE procrastinate_jobs ENABLE TRIGGER procrastinate_trigger_scheduled_events_v1;
ALTER TABLE youtility_tasks_history DROP COLUMN output;
ALTER TABLE procrastinate_jobs DROP COLUMN noted;
