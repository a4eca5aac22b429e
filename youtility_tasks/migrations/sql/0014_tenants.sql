-- A job without its tenant would belong to nobody, and no rule about tenants would hold for it.
CREATE FUNCTION youtility_tasks_keep_tenant_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM procrastinate_jobs j WHERE j.tenant_id = OLD.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('Tenant %s has jobs; deactivate it, and discard its dead letters, before its row is deleted.', OLD.id);
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER youtility_tasks_keep_tenant BEFORE DELETE ON youtility_tasks_tenant
    FOR EACH ROW EXECUTE FUNCTION youtility_tasks_keep_tenant_v1();

-- Stop jobs that came for tenants which left within a day: their transactions were open at the time. Up to 1,000 of each kind
-- in a call; how many, and whether that was all.
CREATE FUNCTION youtility_tasks_stop_stragglers_v1(p_now timestamptz, OUT stopped bigint, OUT is_all boolean) LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
    most CONSTANT integer := 1000;
    gone integer[] := ARRAY(SELECT t.id FROM youtility_tasks_tenant t WHERE NOT t.is_active AND t.deactivated_at > p_now - interval '1 day');
    asked bigint;
BEGIN
    IF gone = '{}' THEN
        stopped := 0;
        is_all := true;
        RETURN;
    END IF;
    WITH chosen AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j WHERE j.status = 'todo' AND j.tenant_id = ANY (gone) LIMIT most FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM procrastinate_jobs j USING chosen c WHERE j.id = c.id RETURNING j.*
    ), recorded AS (
        INSERT INTO youtility_tasks_history (
            job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, scheduled_at, finished_at,
            status, outcome, is_final, args, error_message)
        SELECT d.id, d.task_name, d.queue_name, d.tenant_id, greatest(-32768, least(32767, 11 - d.priority::bigint)), d.attempts + 1,
               d.claim_number, d.enqueued_at, d.scheduled_at, clock_timestamp(), 'cancelled', 'cancelled', true, d.args,
               'Tenant ' || t.id || ' was deactivated' || coalesce(': ' || nullif(t.deactivated_reason, ''), '.')
          FROM deleted d JOIN youtility_tasks_tenant t ON t.id = d.tenant_id
    )
    SELECT count(*) INTO stopped FROM deleted;
    WITH chosen AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.status = 'doing' AND j.tenant_id = ANY (gone) AND NOT j.abort_requested LIMIT most FOR UPDATE SKIP LOCKED
    ), told AS (
        UPDATE procrastinate_jobs j SET abort_requested = true FROM chosen c WHERE j.id = c.id RETURNING j.id
    )
    SELECT count(*) INTO asked FROM told;
    is_all := stopped < most AND asked < most;
    stopped := stopped + asked;
END $$;
