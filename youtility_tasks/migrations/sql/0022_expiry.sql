-- A job may say until when it is worth beginning. One that nobody began by then is claimed all the same, and not run: its worker
-- ends it with the outcome `expired`, so that its history says so. The claim itself knows nothing of it: it returns whole rows.
ALTER TABLE procrastinate_jobs ADD COLUMN expires_at timestamptz;
-- An instant from which nothing can be subtracted would end every claim that meets it.
ALTER TABLE procrastinate_jobs ADD CONSTRAINT youtility_tasks_jobs_expires_at
    CHECK (expires_at >= '0002-01-01 00:00:00+00' AND expires_at < '9999-01-01 00:00:00+00');

-- As youtility_tasks_enqueue_one_v1, for a job that expires; the others go on without a further argument.
CREATE FUNCTION youtility_tasks_enqueue_expiring_v1(
    p_queue_name text, p_task_name text, p_priority integer, p_lock text, p_queueing_lock text, p_args jsonb,
    p_scheduled_at timestamptz, p_unique_key text, p_tenant_id integer, p_noted boolean, p_expires_at timestamptz,
    OUT n integer, OUT id bigint, OUT enqueued_at timestamptz, OUT is_written boolean, OUT tenant_is_known boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    n := 1;
    is_written := false;
    tenant_is_known := p_tenant_id = 0
        OR EXISTS (SELECT 1 FROM youtility_tasks_tenant t WHERE t.id = p_tenant_id AND t.is_active);
    IF NOT tenant_is_known THEN
        RETURN;
    END IF;
    INSERT INTO procrastinate_jobs AS j
           (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at, unique_key, tenant_id, noted, expires_at)
    VALUES (p_queue_name, p_task_name, p_priority, p_lock, p_queueing_lock, p_args, p_scheduled_at, p_unique_key,
            p_tenant_id, p_noted, p_expires_at)
    ON CONFLICT DO NOTHING RETURNING j.id, j.enqueued_at INTO id, enqueued_at;
    is_written := id IS NOT NULL;
END $$;

-- What has begun goes on: its retries, and those of a dead letter, are not for the clock to end. On `failed_at`, which every
-- ending sets that leaves the job in the table, and the claim does not.
CREATE FUNCTION youtility_tasks_has_begun_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    NEW.expires_at := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER youtility_tasks_has_begun BEFORE UPDATE OF failed_at ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.expires_at IS NOT NULL AND (NEW.attempts > 0 OR NEW.crash_count > 0))
    EXECUTE FUNCTION youtility_tasks_has_begun_v1();

-- As youtility_tasks_pump_v3, and of each claimed job: in how many seconds it expires by the server's clock, NULL if it does not.
CREATE FUNCTION youtility_tasks_pump_v4(p_worker_id bigint, p_host text, p_ended jsonb, p_queue text, p_n integer)
RETURNS TABLE (accepted bigint[], look_again boolean, look_after_s float8, job_id bigint, task_name varchar, args text, attempts integer,
               tenant_id integer, claim_number bigint, crash_count smallint, has_lock boolean, expires_in_s float8) LANGUAGE plpgsql
AS $$
DECLARE
    endings bigint[] := '{}';
    claimed integer := 0;
BEGIN
    IF p_ended IS NOT NULL THEN
        endings := youtility_tasks_finish_v2(p_worker_id, p_host, p_ended);
    END IF;
    IF p_n > 0 AND EXISTS (SELECT FROM youtility_tasks_queuecontrol c WHERE c.queue_name IN (p_queue, '')) THEN
        RETURN QUERY SELECT NULL::bigint[], NULL::boolean, NULL::float8, c.id, c.task_name, c.args::text, c.attempts, c.tenant_id,
                            c.claim_number, c.crash_count, c.lock IS NOT NULL,
                            extract(epoch FROM c.expires_at - clock_timestamp())::float8
                       FROM youtility_tasks_claim_limited_v1(p_queue, p_worker_id, p_n) c;
        GET DIAGNOSTICS claimed = ROW_COUNT;
        look_after_s := nullif(current_setting('youtility_tasks.look_after', true), '')::float8;
    ELSIF p_n > 0 THEN
        RETURN QUERY SELECT NULL::bigint[], NULL::boolean, NULL::float8, c.id, c.task_name, c.args::text, c.attempts, c.tenant_id,
                            c.claim_number, c.crash_count, c.lock IS NOT NULL,
                            extract(epoch FROM c.expires_at - clock_timestamp())::float8
                       FROM youtility_tasks_claim_v2(p_queue, p_worker_id, p_n) c;
        GET DIAGNOSTICS claimed = ROW_COUNT;
    END IF;
    accepted := endings;
    look_again := claimed > 0 AND (claimed = p_n OR current_setting('youtility_tasks.locks_from', true) <> '');
    RETURN NEXT;
END $$;
