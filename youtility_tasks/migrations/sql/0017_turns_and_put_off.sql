-- The claim among many tenants does the same for less: 100 jobs of 200 waiting tenants took 2.0 ms more than 100 of one, now 1.6.
-- Signatures and answers are those of 0010: workers of the release before call them, too.

-- The tenants with a job that is ready at one priority: at most p_most (NULL: all), from p_from on and round, without some.
-- As in 0010, in one statement a round instead of one a tenant.
CREATE OR REPLACE FUNCTION youtility_tasks_tenants_ready_v1(
    p_queue text, p_parked_by integer, p_level integer, p_from integer, p_most integer, p_without integer[])
RETURNS integer[] LANGUAGE plpgsql STABLE
AS $$
DECLARE
    found integer[];
    so_far integer[] := '{}';
    starts_at integer := p_from - 1;
    ends_before bigint := 2147483648;
BEGIN
    LOOP
        -- n: how many were found before this one
        WITH RECURSIVE walk (tenant_id, n) AS (
            (SELECT j.tenant_id, 0 FROM procrastinate_jobs j
              WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
                AND j.parked_by = p_parked_by AND -j.priority = p_level AND j.tenant_id > starts_at ORDER BY j.tenant_id LIMIT 1)
            UNION ALL
            SELECT (SELECT j.tenant_id FROM procrastinate_jobs j
                     WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
                       AND j.parked_by = p_parked_by AND -j.priority = p_level AND j.tenant_id > w.tenant_id ORDER BY j.tenant_id LIMIT 1),
                   w.n + (w.tenant_id <> ALL (p_without))::integer
              FROM walk w
             WHERE w.tenant_id < ends_before
               AND (p_most IS NULL OR w.n + (w.tenant_id <> ALL (p_without))::integer < p_most - cardinality(so_far))
        )
        SELECT coalesce(array_agg(w.tenant_id) FILTER (WHERE w.tenant_id < ends_before AND w.tenant_id <> ALL (p_without)), '{}')
          INTO found FROM walk w;
        so_far := so_far || found;
        EXIT WHEN cardinality(so_far) = p_most OR p_from <= 0 OR starts_at = -1;
        starts_at := -1;
        ends_before := p_from;
    END LOOP;
    RETURN so_far;
END $$;

-- As in 0010. A tenant is first looked at as far as its share goes and no further (it was one job more, which among many tenants
-- was twice as many rows to find and lock); only when some have less than their share, each for one more. And what is known of the tenants is brought together by grouping: each join was a
-- loop in a loop, as the claim has hash joins off.
CREATE OR REPLACE FUNCTION youtility_tasks_ready_v1(
    p_queue text, p_parked_by integer, p_n integer, p_without integer[], p_levels integer[], p_tenants integer[], p_floors bigint[])
RETURNS TABLE (id bigint, level integer, tenant_id integer) LANGUAGE plpgsql
AS $$
DECLARE
    most CONSTANT integer := greatest(p_n, 64);
    need integer := p_n;
    here integer := -2147483648;
    tenants integer[];
    came_from integer;
    latest integer;
    is_first boolean;
    is_last boolean := true;
    reach integer;
    ids bigint[];
    owners integer[];
BEGIN
    WHILE need > 0 LOOP
        IF p_levels IS NULL THEN
            SELECT -j.priority INTO here FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
               AND j.parked_by = p_parked_by AND -j.priority > here ORDER BY -j.priority LIMIT 1;
            EXIT WHEN here IS NULL;
            came_from := coalesce(nullif(current_setting('youtility_tasks.tenants_from', true), '')::integer, 0);
            latest := came_from - 1;
            is_first := true;
        ELSE
            SELECT k.level, array_agg(k.tenant_id) INTO here, tenants FROM unnest(p_levels, p_tenants) AS k(level, tenant_id)
             WHERE k.level > here AND k.tenant_id <> ALL (p_without) GROUP BY k.level ORDER BY k.level LIMIT 1;
            EXIT WHEN here IS NULL;
        END IF;

        -- So many tenants at a time. When other workers have what these had, the next ones; all of them in one look
        -- would take seconds once they are ten thousand.
        LOOP
            IF p_levels IS NULL THEN
                tenants := youtility_tasks_tenants_ready_v1(
                    p_queue, p_parked_by, here, least(latest + 1::bigint, 2147483647)::integer, most, p_without);
                IF cardinality(tenants) = most THEN
                    PERFORM set_config('youtility_tasks.tenants_from', least(tenants[need] + 1::bigint, 2147483647)::text, false);  -- as many as it serves
                END IF;
                IF NOT is_first THEN  -- it may have gone round, and on among those that were looked at before
                    tenants := ARRAY(SELECT u.tenant_id FROM unnest(tenants) WITH ORDINALITY AS u(tenant_id, place)
                                      WHERE CASE WHEN latest >= came_from THEN u.tenant_id > latest OR u.tenant_id < came_from
                                            ELSE u.tenant_id > latest AND u.tenant_id < came_from END
                                      ORDER BY u.place);
                END IF;
                is_first := false;
                is_last := cardinality(tenants) < most;
                EXIT WHEN tenants = '{}';
                latest := tenants[most];
            END IF;
            reach := 1;  -- how many times its share a tenant is looked at for, should others have less than theirs
            LOOP
                SELECT array_agg(x.id), array_agg(x.tenant_id) INTO ids, owners FROM (
                    SELECT j.id, s.tenant_id, s.start + (row_number() OVER (PARTITION BY s.tenant_id ORDER BY j.id) - 1) / s.weight AS tag
                      FROM (SELECT a.*,
                                   -- as far as all of them would get, had each enough
                                   least(need, greatest(0, ceil(((reach * need + sum(a.start * a.weight) OVER ()) / sum(a.weight) OVER () - a.start)
                                                                * a.weight)) + (reach > 1)::integer) AS n
                              FROM (SELECT g.tenant_id, g.place, g.start, g.floor,
                                           coalesce((SELECT w.weight FROM youtility_tasks_tenant w WHERE w.id = g.tenant_id), 1)::float8 AS weight
                                      FROM (SELECT o.tenant_id, max(o.place) AS place, max(o.start) AS start, max(o.floor) AS floor
                                              FROM (SELECT u.tenant_id, u.place, 0::float8 AS start, -1::bigint AS floor
                                                      FROM unnest(tenants) WITH ORDINALITY AS u(tenant_id, place)
                                                    UNION ALL
                                                    SELECT t.tenant_id, NULL, t.start, -1 FROM youtility_tasks_turns_v1() t
                                                    UNION ALL
                                                    SELECT f.tenant_id, NULL, 0, f.id
                                                      FROM unnest(p_levels, p_tenants, p_floors) AS f(level, tenant_id, id)
                                                     WHERE f.level = here) o
                                             GROUP BY o.tenant_id) g
                                     WHERE g.place IS NOT NULL OFFSET 0) a) s  -- OFFSET: or the weight is asked for wherever it stands
                     CROSS JOIN LATERAL (
                        SELECT i.id FROM procrastinate_jobs i
                         WHERE i.status = 'todo' AND i.lock IS NULL AND (i.scheduled_at IS NULL OR i.parked_by > 0)
                           AND i.queue_name = p_queue AND i.parked_by = p_parked_by AND -i.priority = here
                           -- written so that no other index has this order: a plan made on an empty table may choose any that has
                           AND (i.tenant_id, i.id) > (s.tenant_id, s.floor) AND i.tenant_id <= s.tenant_id
                         ORDER BY i.tenant_id, i.id LIMIT s.n FOR UPDATE SKIP LOCKED) j
                     ORDER BY tag, s.place, j.id LIMIT need) x;
                EXIT WHEN cardinality(tenants) = 1 OR cardinality(ids) = need OR reach > 1 AND reach >= need;
                reach := reach * 4;
            END LOOP;
            need := need - coalesce(cardinality(ids), 0);
            RETURN QUERY SELECT x.id, here, x.tenant_id FROM unnest(ids, owners) AS x(id, tenant_id);
            IF cardinality(tenants) > 1 THEN
                RETURN QUERY SELECT NULL::bigint, here, u.tenant_id FROM unnest(tenants) AS u(tenant_id);
            END IF;
            EXIT WHEN is_last OR need <= 0;
        END LOOP;
    END LOOP;
END $$;

-- How far each tenant is ahead of the one that waits and has had the least, after these jobs; as in 0010, without joins.
CREATE OR REPLACE FUNCTION youtility_tasks_turns_after_v1(p_waiting integer[], p_rows procrastinate_jobs[])
RETURNS text LANGUAGE sql STABLE
AS $$
    WITH reached AS (
        SELECT g.tenant_id, g.waits,
               g.start + CASE WHEN g.n = 0 THEN 0
                              ELSE g.n::float8 / coalesce((SELECT w.weight FROM youtility_tasks_tenant w WHERE w.id = g.tenant_id), 1) END AS start
          FROM (SELECT o.tenant_id, max(o.start) AS start, sum(o.n) AS n, bool_or(o.waits) AS waits
                  FROM (SELECT u.tenant_id, 0::float8 AS start, 0 AS n, true AS waits FROM unnest(p_waiting) AS u(tenant_id)
                        UNION ALL
                        SELECT r.tenant_id, 0, 1, false FROM unnest(p_rows) r
                        UNION ALL
                        SELECT t.tenant_id, t.start, 0, false FROM youtility_tasks_turns_v1() t) o
                 GROUP BY o.tenant_id) g
    ), least AS (
        SELECT min(r.start) AS start FROM reached r WHERE r.waits
    )
    SELECT coalesce(array_agg(r.tenant_id), '{}')::text || '|' || coalesce(array_agg(r.start - l.start), '{}')::text
      FROM (SELECT * FROM reached q ORDER BY q.waits DESC, q.start DESC LIMIT 128) r
     CROSS JOIN least l WHERE r.start - l.start > 1e-9
$$;

-- A parked job that somebody puts off is no longer kept by its control but by its time. It stayed among the parked ones: with 100,000 of
-- them a claim took 8 ms instead of 2, and those that were due stood behind them (tests/integration/test_put_off.py).
CREATE FUNCTION youtility_tasks_put_off_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    NEW.parked_by := 0;
    RETURN NEW;
END $$;
CREATE TRIGGER youtility_tasks_put_off BEFORE UPDATE OF scheduled_at ON procrastinate_jobs
    FOR EACH ROW WHEN (NEW.parked_by > 0 AND NEW.status = 'todo' AND NEW.scheduled_at > now())
    EXECUTE FUNCTION youtility_tasks_put_off_v1();
