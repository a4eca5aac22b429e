-- Whoever changes a tenant, a limit, a pause or a role, the audit log knows by the end of the transaction. The house's acts enter
-- what they did themselves, with a reason and a name; for a change that nobody has entered, or not truly, there is a row all the
-- same: by which user of the database, what was, what is. Arguments: what the row is, how it says whose it is; the columns that
-- count; the columns by which an entry is known to tell of it.
CREATE FUNCTION youtility_tasks_enter_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    ours CONSTANT text[] := string_to_array(TG_ARGV[2], ' ');
    told CONSTANT text[] := string_to_array(TG_ARGV[3], ' ');
    old_row CONSTANT jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    event_row CONSTANT jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    whose CONSTANT integer := event_row ->> TG_ARGV[1];
    was jsonb;
    new_row jsonb;
    becomes jsonb;
    key jsonb;
BEGIN
    -- The row as the transaction leaves it: what it was in between nobody has seen.
    EXECUTE format('SELECT to_jsonb(t) FROM %I.%I t WHERE t.id = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME)
       INTO new_row USING (event_row ->> 'id')::integer;
    SELECT jsonb_object_agg(e.key, e.value) INTO was FROM jsonb_each(old_row) e WHERE e.key = ANY (ours);
    SELECT jsonb_object_agg(e.key, e.value) INTO becomes FROM jsonb_each(new_row) e WHERE e.key = ANY (ours);
    IF becomes IS NOT DISTINCT FROM was THEN
        RETURN NULL;
    END IF;
    SELECT jsonb_object_agg(e.key, e.value) INTO key FROM jsonb_each(coalesce(becomes, was)) e WHERE e.key = ANY (told);
    IF EXISTS (SELECT FROM (SELECT a.at, a.before, a.after FROM youtility_tasks_taskauditlog a
                             WHERE a.tenant_id IS NOT DISTINCT FROM whose ORDER BY a.id DESC LIMIT 500) a
                WHERE a.at >= transaction_timestamp()
                  AND CASE WHEN becomes IS NULL THEN a.before @> key AND a.after IS NULL ELSE a.after @> key END) THEN
        RETURN NULL;
    END IF;
    INSERT INTO youtility_tasks_taskauditlog (actor, act, target, tenant_id, reason, before, after)
    VALUES (format('%s (user of the database)', session_user), 'changed by SQL', format('%s %s', TG_ARGV[0], event_row ->> 'id'),
            whose, '', was, becomes);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER youtility_tasks_enter
    AFTER INSERT OR UPDATE OF name, weight, is_active OR DELETE ON youtility_tasks_tenant
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION youtility_tasks_enter_v1('tenant', 'id', 'name weight is_active', 'name weight is_active');
CREATE CONSTRAINT TRIGGER youtility_tasks_enter
    AFTER INSERT OR UPDATE OF tenant_id, user_id, role OR DELETE ON youtility_tasks_tenantmembership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION youtility_tasks_enter_v1('membership', 'tenant_id', 'tenant_id user_id role', 'user_id role');
-- Not of what a claim changes of it (tokens, refilled_at), nor when upkeep takes one away that keeps nothing back.
CREATE CONSTRAINT TRIGGER youtility_tasks_enter
    AFTER INSERT OR UPDATE OF queue_name, task_name, tenant_id, max_running, rate_per_s, burst, is_paused, paused_until
    ON youtility_tasks_queuecontrol
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION youtility_tasks_enter_v1(
        'control', 'tenant_id', 'queue_name task_name tenant_id max_running rate_per_s burst is_paused paused_until',
        'max_running rate_per_s burst is_paused');
CREATE CONSTRAINT TRIGGER youtility_tasks_enter_gone AFTER DELETE ON youtility_tasks_queuecontrol
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.max_running IS NOT NULL OR OLD.rate_per_s IS NOT NULL
          OR (OLD.is_paused AND coalesce(OLD.paused_until > clock_timestamp(), true)))
    EXECUTE FUNCTION youtility_tasks_enter_v1(
        'control', 'tenant_id', 'queue_name task_name tenant_id max_running rate_per_s burst is_paused paused_until',
        'max_running rate_per_s burst is_paused');

DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_enter_v1() SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp',
                   current_schema());
    REVOKE ALL ON FUNCTION youtility_tasks_enter_v1() FROM PUBLIC;
END $do$;
