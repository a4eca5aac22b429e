-- Whose a token is, for who shows its digest. Written down at most once a minute that it was used: requests would queue for its row.
CREATE FUNCTION youtility_tasks_api_token_v1(p_digest text)
RETURNS TABLE (token_id bigint, token_name text, user_id text, tenant_id integer, role text) LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT t.id, t.name::text, t.user_id::text, t.tenant_id, t.role::text FROM youtility_tasks_apitoken t
     WHERE t.digest = p_digest AND t.revoked_at IS NULL AND t.expires_at > clock_timestamp();
    IF FOUND THEN
        UPDATE youtility_tasks_apitoken t SET last_used_at = clock_timestamp()
         WHERE t.digest = p_digest AND (t.last_used_at IS NULL OR t.last_used_at < clock_timestamp() - interval '1 minute');
    END IF;
END $$;

-- One request more of somebody's; for how many seconds that is too many, and 0 if it is not. A refused one counts for nothing.
CREATE FUNCTION youtility_tasks_api_take_v1(p_who text, p_rate_per_s double precision, p_burst integer)
RETURNS double precision LANGUAGE plpgsql
AS $$
DECLARE
    each CONSTANT interval := make_interval(secs => 1 / p_rate_per_s);
    wait double precision;
BEGIN
    INSERT INTO youtility_tasks_apiallowance AS a (who, full_at) VALUES (p_who, clock_timestamp() + each)
        ON CONFLICT (who) DO UPDATE SET full_at = greatest(a.full_at, clock_timestamp()) + each
        WHERE greatest(a.full_at, clock_timestamp()) + each <= clock_timestamp() + each * p_burst;
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT extract(epoch FROM a.full_at + each - each * p_burst - clock_timestamp()) INTO wait
      FROM youtility_tasks_apiallowance a WHERE a.who = p_who;
    RETURN greatest(coalesce(wait, 0), 0.001);
END $$;
-- Nobody misses it after a crash, so no commit of a request waits for a disk.
ALTER TABLE youtility_tasks_apiallowance SET UNLOGGED;

-- Which queues have workers that were heard of within the lease, and how many jobs these run at once; who they are stays an
-- operator's to see.
CREATE FUNCTION youtility_tasks_served_v1(p_lease_s double precision)
RETURNS TABLE (queue_name text, slots bigint) LANGUAGE sql STABLE
AS $$
    SELECT w.queue_name::text, sum(w.slots) FROM youtility_tasks_taskworker w
     WHERE w.status = 'running' AND w.heartbeat_at >= clock_timestamp() - make_interval(secs => p_lease_s)
     GROUP BY w.queue_name
$$;

-- What nobody has entered of a token is entered as the transaction ends; not that it was used.
CREATE CONSTRAINT TRIGGER youtility_tasks_enter
    AFTER INSERT OR UPDATE OF user_id, tenant_id, role, expires_at, revoked_at OR DELETE ON youtility_tasks_apitoken
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION youtility_tasks_enter_v1(
        'token', 'tenant_id', 'name username tenant_id role expires_at revoked_at', 'name username role');

DO $do$
DECLARE
    each regprocedure;
BEGIN
    FOREACH each IN ARRAY ARRAY['youtility_tasks_api_token_v1(text)', 'youtility_tasks_served_v1(double precision)',
                                'youtility_tasks_api_take_v1(text, double precision, integer)']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', each, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each);
    END LOOP;
END $do$;
