-- Counting a million waiting jobs takes a third of a second. Upkeep does it for all, and pages read what it found; as long as it is
-- quick, or nobody does it, a page counts for itself.

CREATE FUNCTION youtility_tasks_counted_v1(p_tenant integer)
RETURNS TABLE (tenant_id integer, queue_name varchar, todo bigint, doing bigint, scheduled bigint, failed bigint, oldest_at timestamptz)
LANGUAGE sql STABLE SET jit = off
AS $$
    SELECT j.tenant_id, j.queue_name,
           count(*) FILTER (WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= c.now)),
           count(*) FILTER (WHERE j.status = 'doing'),
           count(*) FILTER (WHERE j.status = 'todo' AND j.scheduled_at > c.now),
           count(*) FILTER (WHERE j.status = 'failed'),
           min(greatest(j.enqueued_at, j.scheduled_at)) FILTER (
               WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= c.now))
      FROM procrastinate_jobs j, (SELECT clock_timestamp() AS now) c
     WHERE j.status IN ('todo', 'doing', 'failed') AND (p_tenant IS NULL OR j.tenant_id = p_tenant)
     GROUP BY 1, 2
$$;

-- Count all jobs by tenant and queue. Returns how many rows changed; NULL if somebody else is at it, or it was done a moment ago: ten
-- seconds, or twenty times as long as it took.
CREATE FUNCTION youtility_tasks_count_queues_v1() RETURNS integer LANGUAGE plpgsql
AS $$
DECLARE
    began timestamptz := clock_timestamp();
    changed integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('youtility_tasks_count_queues')) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM youtility_tasks_snapshotmark m
      WHERE m.taken_at > began - greatest(interval '9 seconds', m.took_ms * interval '20 milliseconds');
    IF FOUND THEN
        RETURN NULL;
    END IF;
    WITH now AS MATERIALIZED (
        SELECT * FROM youtility_tasks_counted_v1(NULL)
    ), gone AS (
        DELETE FROM youtility_tasks_queuesnapshot s
         WHERE NOT EXISTS (SELECT FROM now n WHERE n.tenant_id = s.tenant_id AND n.queue_name = s.queue_name) RETURNING 1
    ), written AS (
        INSERT INTO youtility_tasks_queuesnapshot AS s (tenant_id, queue_name, todo, doing, scheduled, failed, oldest_at)
        SELECT n.tenant_id, n.queue_name, n.todo, n.doing, n.scheduled, n.failed, n.oldest_at FROM now n
        ON CONFLICT (tenant_id, queue_name) DO UPDATE
           SET (todo, doing, scheduled, failed, oldest_at)
             = (excluded.todo, excluded.doing, excluded.scheduled, excluded.failed, excluded.oldest_at)
         WHERE (s.todo, s.doing, s.scheduled, s.failed, s.oldest_at)
               IS DISTINCT FROM (excluded.todo, excluded.doing, excluded.scheduled, excluded.failed, excluded.oldest_at)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written) INTO changed;
    INSERT INTO youtility_tasks_snapshotmark (id, taken_at, took_ms)
    VALUES (1, began, 1000 * extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (id) DO UPDATE SET taken_at = excluded.taken_at, took_ms = excluded.took_ms;
    RETURN changed;
END
$$;

-- The queues of one tenant, or (NULL) of each: counted now while that takes less than p_live_ms, or when nobody has counted for a
-- minute; else as they were counted last.
CREATE FUNCTION youtility_tasks_glance_v1(p_tenant integer, p_live_ms double precision)
RETURNS TABLE (counted_at timestamptz, tenant_id integer, queue_name varchar, todo bigint, doing bigint, scheduled bigint, failed bigint,
               oldest_at timestamptz)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    taken timestamptz;
BEGIN
    SELECT m.taken_at INTO taken FROM youtility_tasks_snapshotmark m
     WHERE m.took_ms > p_live_ms AND m.taken_at > clock_timestamp() - greatest(interval '1 minute', m.took_ms * interval '60 milliseconds');
    IF taken IS NULL THEN
        RETURN QUERY SELECT clock_timestamp(), n.* FROM youtility_tasks_counted_v1(p_tenant) n;
    ELSE
        RETURN QUERY SELECT taken, s.tenant_id, s.queue_name, s.todo, s.doing, s.scheduled, s.failed, s.oldest_at
                       FROM youtility_tasks_queuesnapshot s WHERE p_tenant IS NULL OR s.tenant_id = p_tenant;
    END IF;
END
$$;

-- With its owner's rights: a worker may not read who waits, and nobody writes these counts by himself.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_count_queues_v1() SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', current_schema());
    REVOKE ALL ON FUNCTION youtility_tasks_count_queues_v1() FROM PUBLIC;
END $do$;
