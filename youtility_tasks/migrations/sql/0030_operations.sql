-- Acts on all jobs that a filter means, and the guard that lets nobody of the web or an operator act without an entry.

-- An undo belongs to an operation of its own tenant.
ALTER TABLE youtility_tasks_taskoperation
    ADD CONSTRAINT yt_operation_of_tenant UNIQUE (tenant_id, id),
    ADD CONSTRAINT yt_operation_undoes_own FOREIGN KEY (tenant_id, undoes_id)
        REFERENCES youtility_tasks_taskoperation (tenant_id, id) ON DELETE CASCADE;

-- Which transaction made a row; the rows from before have none. (A default of the new column would write all of them anew.)
ALTER TABLE youtility_tasks_taskauditlog ADD COLUMN xid xid8;
ALTER TABLE youtility_tasks_taskauditlog ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
CREATE INDEX youtility_tasks_audit_xid ON youtility_tasks_taskauditlog (xid) WHERE xid IS NOT NULL;
ALTER TABLE youtility_tasks_operationbatch ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX youtility_tasks_batch_xid ON youtility_tasks_operationbatch (xid);

-- Workers sleep until somebody begins one. No id goes out: whoever listens hears of every tenant.
CREATE FUNCTION youtility_tasks_tell_operations_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('youtility_tasks_operations', '');
    RETURN NULL;
END $$;
CREATE TRIGGER youtility_tasks_new_operation AFTER INSERT ON youtility_tasks_taskoperation
    FOR EACH STATEMENT EXECUTE FUNCTION youtility_tasks_tell_operations_v1();

-- -- batches

-- Lock these jobs, in the order of their ids, as far as they stand as the operation's act wants them; remember which they are and,
-- for an undo, how they are. Which they are.
CREATE FUNCTION youtility_tasks_operation_batch_v1(
    p_operation_id bigint, p_job_ids bigint[], p_status text, p_keeps boolean, p_tenant_id integer)
RETURNS bigint[] LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
    held bigint[];
    were jsonb;
BEGIN
    IF NOT EXISTS (SELECT FROM youtility_tasks_taskoperation o
                    WHERE o.id = p_operation_id AND o.tenant_id IS NOT DISTINCT FROM theirs AND o.ended_at IS NULL) THEN
        RAISE insufficient_privilege USING MESSAGE = 'no such operation goes on here',
            HINT = 'A batch belongs to an operation of the tenant of the transaction that has not ended.';
    END IF;
    SELECT coalesce(array_agg(l.id), '{}'), jsonb_agg(l.was) INTO held, were FROM (
        SELECT j.id, CASE WHEN p_keeps THEN to_jsonb(j) - '{args,progress,progress_note}'::text[] END AS was
          FROM procrastinate_jobs j
         WHERE j.id = ANY (p_job_ids) AND j.status = p_status::procrastinate_job_status AND (theirs IS NULL OR j.tenant_id = theirs)
         ORDER BY j.id FOR UPDATE) l;
    IF cardinality(held) > 0 THEN
        INSERT INTO youtility_tasks_operationbatch (operation_id, tenant_id, job_ids, was)
        VALUES (p_operation_id, theirs, to_jsonb(held), CASE WHEN p_keeps THEN were END);
    END IF;
    RETURN held;
END $$;

-- Give waiting jobs another priority (as stored: 11 minus ours).
CREATE FUNCTION youtility_tasks_prioritize_v1(p_job_ids bigint[], p_priority integer, p_tenant_id integer)
RETURNS TABLE (job_id bigint, task_name varchar, queue_name varchar, tenant_id integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
BEGIN
    IF p_priority IS NULL OR p_priority NOT BETWEEN 1 AND 10 THEN
        RAISE invalid_parameter_value USING MESSAGE = format('A priority is stored as 1 to 10; given: %s', p_priority);
    END IF;
    RETURN QUERY
    WITH chosen AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.id = ANY (p_job_ids) AND j.status = 'todo' AND (theirs IS NULL OR j.tenant_id = theirs) ORDER BY j.id FOR UPDATE
    )
    UPDATE procrastinate_jobs j SET priority = p_priority WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c))
    RETURNING j.id, j.task_name, j.queue_name, j.tenant_id;
    IF FOUND THEN
        PERFORM youtility_tasks_owe_v1('priority');
    END IF;
END $$;

-- Let jobs that wait for a later instant come due: the first at p_first_at, each further one p_spacing_s later, and none later than it would.
CREATE FUNCTION youtility_tasks_run_now_v1(
    p_job_ids bigint[], p_first_at timestamptz, p_spacing_s double precision, p_tenant_id integer)
RETURNS TABLE (job_id bigint, task_name varchar, queue_name varchar, tenant_id integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
BEGIN
    RETURN QUERY
    WITH locked AS MATERIALIZED (
        SELECT j.id FROM procrastinate_jobs j
         WHERE j.id = ANY (p_job_ids) AND j.status = 'todo' AND j.scheduled_at > clock_timestamp()
           AND (theirs IS NULL OR j.tenant_id = theirs) ORDER BY j.id FOR UPDATE
    ), chosen AS (
        SELECT l.id, p_first_at + (row_number() OVER (ORDER BY l.id) - 1) * p_spacing_s * interval '1 second' AS due_at FROM locked l
    )
    UPDATE procrastinate_jobs j SET scheduled_at = least(j.scheduled_at, c.due_at) FROM chosen c WHERE j.id = c.id
    RETURNING j.id, j.task_name, j.queue_name, j.tenant_id;
    IF FOUND THEN
        PERFORM youtility_tasks_owe_v1('run now');
    END IF;
END $$;

-- Put the jobs of one batch back as they stood, each as far as nothing else has happened to it since; why not the others.
--   retry      a dead letter again, unless it was claimed        cancel     waits again       discard   a dead letter again
--   priority   as before, unless another was given since         run now    due as before, unless it was claimed
-- What left the queue comes back under its id with the arguments that its history holds, and another claim number: the one of its
-- cancelled attempt says that it has ended.
CREATE FUNCTION youtility_tasks_operation_undo_v1(p_batch_id bigint, p_tenant_id integer)
RETURNS TABLE (job_id bigint, task_name varchar, queue_name varchar, tenant_id integer, refused text) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
    batch record;
    was procrastinate_jobs;
    held jsonb;
    done integer := 0;
BEGIN
    SELECT b.was, o.act, o.priority INTO batch
      FROM youtility_tasks_operationbatch b JOIN youtility_tasks_taskoperation o ON o.id = b.operation_id
     WHERE b.id = p_batch_id AND b.undone_at IS NULL AND b.was IS NOT NULL AND b.tenant_id IS NOT DISTINCT FROM theirs
       FOR UPDATE OF b;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM procrastinate_jobs j
      WHERE j.id = ANY (ARRAY(SELECT (w ->> 'id')::bigint FROM jsonb_array_elements(batch.was) w)) ORDER BY j.id FOR UPDATE;
    FOR was IN SELECT r.* FROM jsonb_array_elements(batch.was) w, jsonb_populate_record(NULL::procrastinate_jobs, w) r ORDER BY r.id
    LOOP
        refused := 'moved';
        IF batch.act = 'priority' THEN
            UPDATE procrastinate_jobs j SET priority = was.priority
             WHERE j.id = was.id AND j.status = 'todo' AND j.priority = 11 - batch.priority;
            IF FOUND THEN
                refused := NULL;
            END IF;
        ELSIF batch.act = 'run now' THEN
            UPDATE procrastinate_jobs j SET scheduled_at = was.scheduled_at
             WHERE j.id = was.id AND j.status = 'todo' AND j.claim_number = was.claim_number AND j.scheduled_at <= was.scheduled_at;
            IF FOUND THEN
                refused := NULL;
            END IF;
        ELSIF was.step_id IS NOT NULL THEN
            refused := 'step';
        ELSIF batch.act = 'retry' THEN
            UPDATE procrastinate_jobs j
               SET status = 'failed', attempts = was.attempts, attempts_before = was.attempts_before, crash_count = was.crash_count,
                   rescue_count = was.rescue_count, failed_at = was.failed_at, fingerprint = was.fingerprint,
                   scheduled_at = was.scheduled_at, queueing_lock = was.queueing_lock, worker_id = NULL, claim_number = was.claim_number
             WHERE j.id = was.id AND j.status = 'todo' AND j.claim_number = was.claim_number + 1;
            IF FOUND THEN
                refused := NULL;
            END IF;
        ELSIF EXISTS (SELECT FROM procrastinate_jobs j WHERE j.id = was.id) THEN
            NULL;
        ELSE
            SELECT h.args INTO held FROM youtility_tasks_history h
             WHERE h.job_id = was.id AND h.claim_number = was.claim_number AND h.is_final AND h.status = 'cancelled'
               AND h.tenant_id = was.tenant_id
             ORDER BY h.finished_at DESC LIMIT 1;
            refused := CASE
                WHEN held IS NULL THEN 'forgotten'
                WHEN EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = was.tenant_id AND NOT t.is_active) THEN 'inactive' END;
            IF refused IS NULL THEN
                was.args := held;
                was.claim_number := was.claim_number + 1;
                was.worker_id := NULL;
                was.abort_requested := false;
                BEGIN
                    INSERT INTO procrastinate_jobs SELECT was.*;
                EXCEPTION WHEN unique_violation THEN
                    refused := 'taken';
                END;
            END IF;
        END IF;
        done := done + (refused IS NULL)::integer;
        job_id := was.id;
        task_name := was.task_name;
        queue_name := was.queue_name;
        tenant_id := was.tenant_id;
        RETURN NEXT;
    END LOOP;
    UPDATE youtility_tasks_operationbatch b SET undone_at = clock_timestamp() WHERE b.id = p_batch_id;
    IF done > 0 THEN
        PERFORM youtility_tasks_owe_v1('undo');
    END IF;
END $$;

-- -- the guard

-- Whoever may EXECUTE this must enter what he changes; it is asked for by has_function_privilege and never called.
CREATE FUNCTION youtility_tasks_must_enter_v1() RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;

-- Not those who own the schema: migrations and set-up change these tables, too.
CREATE FUNCTION youtility_tasks_is_guarded_v1() RETURNS boolean LANGUAGE sql STABLE
AS $$
    SELECT has_function_privilege(session_user, p.oid, 'EXECUTE') AND NOT pg_has_role(session_user, p.proowner, 'USAGE')
      FROM pg_proc p WHERE p.oid = 'youtility_tasks_must_enter_v1()'::regprocedure
$$;

-- What acts on jobs and runs have done in this transaction, until its end: then each has been asked for its entry, and is gone.
CREATE UNLOGGED TABLE youtility_tasks_owed (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    act text NOT NULL
);
REVOKE ALL ON youtility_tasks_owed FROM PUBLIC;
CREATE FUNCTION youtility_tasks_owe_v1(p_act text) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    IF youtility_tasks_is_guarded_v1() THEN
        INSERT INTO youtility_tasks_owed (act) VALUES (p_act);
    END IF;
END $$;

-- As a transaction of the web, or of an operator, ends: is there an entry of its own in the audit log, or a batch of an operation, whose
-- beginning and end are entered? What the trigger of 0019 writes for want of one is none.
CREATE FUNCTION youtility_tasks_guard_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    event_row CONSTANT jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
BEGIN
    IF TG_ARGV[0] = 'act' THEN
        DELETE FROM youtility_tasks_owed o WHERE o.id = (event_row ->> 'id')::bigint;
    ELSIF NOT youtility_tasks_is_guarded_v1() THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM youtility_tasks_taskauditlog a
                WHERE a.xid = pg_current_xact_id() AND a.at >= transaction_timestamp() AND a.act <> 'changed by SQL')
       OR EXISTS (SELECT FROM youtility_tasks_operationbatch b WHERE b.xid = pg_current_xact_id()) THEN
        RETURN NULL;
    END IF;
    RAISE insufficient_privilege USING
        MESSAGE = format('%s is not entered in the audit log by the transaction that does it, so all of it is refused',
                         CASE WHEN TG_ARGV[0] = 'act' THEN format('the act %L on jobs or runs', event_row ->> 'act')
                              ELSE format('%s of %s %s', TG_OP, TG_ARGV[0], event_row ->> 'id') END),
        HINT = 'Act through the functions of youtility_tasks, which enter what they do; by SQL insert the row into youtility_tasks_taskauditlog yourself.';
END $$;

CREATE CONSTRAINT TRIGGER youtility_tasks_guard AFTER INSERT ON youtility_tasks_owed
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('act');
CREATE CONSTRAINT TRIGGER youtility_tasks_guard
    AFTER INSERT OR UPDATE OF name, zone, weight, is_active, deactivated_at, deactivated_reason OR DELETE ON youtility_tasks_tenant
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('tenant');
CREATE CONSTRAINT TRIGGER youtility_tasks_guard AFTER INSERT OR UPDATE OR DELETE ON youtility_tasks_tenantmembership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('membership');
CREATE CONSTRAINT TRIGGER youtility_tasks_guard
    AFTER INSERT OR UPDATE OF revoked_at, revoked_by OR DELETE ON youtility_tasks_apitoken
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('token');
-- Not of what a claim changes of it (tokens, refilled_at); only upkeep takes one away.
CREATE CONSTRAINT TRIGGER youtility_tasks_guard
    AFTER INSERT OR UPDATE OF queue_name, task_name, tenant_id, max_running, rate_per_s, burst, is_paused, paused_until, paused_at,
        paused_by, reason, changed_at, changed_by ON youtility_tasks_queuecontrol
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('control');
-- Not of what a tick changes of it (settled_to, next_at, live_jobs), nor what set-up remembers of its declaration.
CREATE CONSTRAINT TRIGGER youtility_tasks_guard
    AFTER INSERT OR UPDATE OF tenant_id, name, task_name, args, tick_argument, queue_name, priority, kind, cron, every_s, at, zone, days,
        working_weekdays, site_id, quiet_from, quiet_to, jitter_s, missed, missed_most, grace_s, overlap, is_paused, paused_at,
        paused_until, paused_by, pause_reason, removed_at OR DELETE ON youtility_tasks_scheduledtask
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('schedule');
-- Not of how far they are.
CREATE CONSTRAINT TRIGGER youtility_tasks_guard AFTER INSERT OR UPDATE OF is_stopped ON youtility_tasks_redrive
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('redrive');
CREATE CONSTRAINT TRIGGER youtility_tasks_guard AFTER INSERT OR UPDATE OF is_stopped ON youtility_tasks_taskoperation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION youtility_tasks_guard_v1('operation');

DO $do$
DECLARE
    each record;
BEGIN
    FOR each IN SELECT f.name::regprocedure AS name FROM unnest(ARRAY[
        'youtility_tasks_operation_batch_v1(bigint,bigint[],text,boolean,integer)',
        'youtility_tasks_operation_undo_v1(bigint,integer)',
        'youtility_tasks_prioritize_v1(bigint[],integer,integer)',
        'youtility_tasks_run_now_v1(bigint[],timestamptz,double precision,integer)',
        'youtility_tasks_owe_v1(text)',
        'youtility_tasks_guard_v1()']) f(name) LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', each.name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each.name);
    END LOOP;
    REVOKE ALL ON FUNCTION youtility_tasks_must_enter_v1, youtility_tasks_is_guarded_v1 FROM PUBLIC;
    -- Acts ask this from now on; what they are owned by until `setup_task_queue` has run, and after.
    FOR each IN SELECT DISTINCT p.proowner::regrole AS name FROM pg_proc p WHERE p.oid = 'youtility_tasks_scope_v1(integer)'::regprocedure LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION youtility_tasks_owe_v1, youtility_tasks_is_guarded_v1 TO %s', each.name);
    END LOOP;
END $do$;
