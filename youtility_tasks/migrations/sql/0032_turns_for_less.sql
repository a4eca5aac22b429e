-- What a claim does because several tenants wait cost 4 us a job (100 jobs of 5 tenants) and now costs 2: fewer statements, since
-- each is begun, run and ended in some 20 us however little it does. Who is served, and when, is what it was.

-- As youtility_tasks_ready_v1, in arrays and not in rows: p_n jobs that are ready and have no lock, taken FOR UPDATE: by priority, and within
-- a priority so that each tenant gets its share by weight, as far as it has jobs (start-time fair queueing: Goyal, Vin, Cheng 1996).
-- waiting names the tenants that wait beside another. waiting_weights has their weights if each stands in waiting once, else it is NULL.
--
-- p_levels, p_tenants, p_floors: look only there, for jobs after these ids. NULL: look everywhere. Never at p_without.
CREATE FUNCTION youtility_tasks_ready_v2(
    p_queue text, p_parked_by integer, p_n integer, p_without integer[], p_levels integer[], p_tenants integer[], p_floors bigint[],
    OUT ids bigint[], OUT levels integer[], OUT owners integer[],
    OUT waiting integer[], OUT waiting_levels integer[], OUT waiting_weights float8[])
LANGUAGE plpgsql
AS $$
DECLARE
    most CONSTANT integer := greatest(p_n, 64);
    came_from CONSTANT integer := coalesce(nullif(current_setting('youtility_tasks.tenants_from', true), '')::integer, 0);
    turns CONSTANT text := nullif(current_setting('youtility_tasks.turns', true), '');
    ahead CONSTANT integer[] := coalesce(split_part(turns, '|', 1)::integer[], '{}');
    ahead_by CONSTANT float8[] := split_part(turns, '|', 2)::float8[];
    need integer := p_n;
    here integer := -2147483648;
    tenants integer[];
    weights float8[];
    floors bigint[];
    starts float8[];
    shares integer[];
    sum_of_weights float8;
    sum_of_starts float8;
    latest integer;
    is_first boolean;
    is_last boolean := true;
    reach integer;
    found bigint[];
    whose integer[];
BEGIN
    WHILE need > 0 LOOP
        weights := NULL;
        IF p_levels IS NOT NULL THEN
            SELECT k.level, array_agg(k.tenant_id), array_agg(k.floor) INTO here, tenants, floors
              FROM unnest(p_levels, p_tenants, p_floors) AS k(level, tenant_id, floor)
             WHERE k.level > here AND k.tenant_id <> ALL (p_without) GROUP BY k.level ORDER BY k.level LIMIT 1;
        ELSIF came_from = 0 THEN
            -- The next level and who waits there, as by the two statements below. n: how many are found with this one
            WITH RECURSIVE walk (level, tenant_id, n) AS (
                (SELECT -j.priority, j.tenant_id, (j.tenant_id <> ALL (p_without))::integer FROM procrastinate_jobs j
                  WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
                    AND j.parked_by = p_parked_by AND -j.priority > here ORDER BY -j.priority, j.tenant_id LIMIT 1)
                UNION ALL
                SELECT w.level, x.tenant_id, w.n + (x.tenant_id <> ALL (p_without))::integer
                  FROM walk w CROSS JOIN LATERAL (
                    SELECT j.tenant_id FROM procrastinate_jobs j
                     WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
                       AND j.parked_by = p_parked_by AND -j.priority = w.level AND j.tenant_id > w.tenant_id
                     ORDER BY -j.priority, j.tenant_id LIMIT 1) x
                 WHERE w.n < most
            )
            SELECT max(w.level), coalesce(array_agg(w.tenant_id) FILTER (WHERE w.tenant_id <> ALL (p_without)), '{}'),
                   array_agg(coalesce((SELECT t.weight FROM youtility_tasks_tenant t WHERE t.id = w.tenant_id), 1)::float8)
                       FILTER (WHERE w.tenant_id <> ALL (p_without))
              INTO here, tenants, weights FROM walk w;
        ELSE
            SELECT -j.priority INTO here FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
               AND j.parked_by = p_parked_by AND -j.priority > here ORDER BY -j.priority LIMIT 1;
        END IF;
        EXIT WHEN here IS NULL;
        latest := came_from - 1;
        is_first := true;

        -- So many tenants at a time. When other workers have what these had, the next ones; all of them in one look
        -- would take seconds once they are ten thousand.
        LOOP
            IF p_levels IS NULL THEN
                IF came_from > 0 OR NOT is_first THEN
                    tenants := youtility_tasks_tenants_ready_v1(
                        p_queue, p_parked_by, here, least(latest + 1::bigint, 2147483647)::integer, most, p_without);
                    weights := NULL;
                END IF;
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
            IF weights IS NULL THEN
                weights := ARRAY(SELECT coalesce((SELECT t.weight FROM youtility_tasks_tenant t WHERE t.id = u.tenant_id), 1)::float8
                                   FROM unnest(tenants) AS u(tenant_id));
            END IF;
            starts := array_fill(0::float8, ARRAY[cardinality(tenants)]);
            sum_of_weights := 0;
            sum_of_starts := 0;
            FOR n IN 1 .. cardinality(tenants) LOOP
                sum_of_weights := sum_of_weights + weights[n];
                IF ahead <> '{}' THEN
                    starts[n] := coalesce(ahead_by[array_position(ahead, tenants[n])], 0);
                    sum_of_starts := sum_of_starts + starts[n] * weights[n];
                END IF;
            END LOOP;
            reach := 1;  -- how many times its share a tenant is looked at for, should others have less than theirs
            LOOP
                FOR n IN 1 .. cardinality(tenants) LOOP
                    -- as far as all of them would get, had each enough
                    shares[n] := least(need, greatest(0, ceil(((reach * need + sum_of_starts) / sum_of_weights - starts[n]) * weights[n]))
                                             + (reach > 1)::integer);
                END LOOP;
                SELECT array_agg(x.id), array_agg(x.tenant_id) INTO found, whose FROM (
                    SELECT j.id, s.tenant_id, s.start + (j.n - 1) / s.weight AS tag
                      FROM unnest(tenants, starts, weights, shares, floors) WITH ORDINALITY AS s(tenant_id, start, weight, n, floor, place)
                     CROSS JOIN LATERAL (
                        SELECT l.id, row_number() OVER () AS n FROM (
                            SELECT i.id FROM procrastinate_jobs i
                             WHERE i.status = 'todo' AND i.lock IS NULL AND (i.scheduled_at IS NULL OR i.parked_by > 0)
                               AND i.queue_name = p_queue AND i.parked_by = p_parked_by AND -i.priority = here
                               -- written so that no other index has this order: a plan made on an empty table may choose any that has
                               AND (i.tenant_id, i.id) > (s.tenant_id, coalesce(s.floor, -1)) AND i.tenant_id <= s.tenant_id
                             ORDER BY -i.priority, i.tenant_id, i.id LIMIT s.n FOR UPDATE SKIP LOCKED) l) j
                     ORDER BY tag, s.place, j.id LIMIT need) x;
                EXIT WHEN cardinality(tenants) = 1 OR cardinality(found) = need OR reach > 1 AND reach >= need;
                reach := reach * 4;
            END LOOP;
            IF found IS NOT NULL THEN
                need := need - cardinality(found);
                ids := ids || found;
                levels := levels || array_fill(here, ARRAY[cardinality(found)]);
                owners := owners || whose;
            END IF;
            IF cardinality(tenants) > 1 THEN
                waiting_weights := CASE WHEN waiting IS NULL THEN weights END;
                waiting := waiting || tenants;
                waiting_levels := waiting_levels || array_fill(here, ARRAY[cardinality(tenants)]);
            END IF;
            EXIT WHEN is_last OR need <= 0;
        END LOOP;
    END LOOP;
END $$;

-- As youtility_tasks_turns_after_v1: how far each tenant is ahead of the one that waits and has had the least, once each of p_served has had
-- one job more. p_weights: those of p_waiting, if each stands there once, else NULL.
CREATE FUNCTION youtility_tasks_turns_after_v2(p_waiting integer[], p_weights float8[], p_served integer[])
RETURNS text LANGUAGE plpgsql STABLE
AS $$
DECLARE
    turns CONSTANT text := nullif(current_setting('youtility_tasks.turns', true), '');
    ahead CONSTANT integer[] := coalesce(split_part(turns, '|', 1)::integer[], '{}');
    ahead_by CONSTANT float8[] := split_part(turns, '|', 2)::float8[];
    reached float8[] := '{}';
    least float8;
    names integer[] := '{}';
    leads float8[] := '{}';
BEGIN
    -- A few tenants and nobody else: a quarter of what the statement below costs, which is the better one for many.
    IF cardinality(p_weights) <= 16 AND p_served <@ p_waiting AND ahead <@ p_waiting THEN
        FOR n IN 1 .. cardinality(p_waiting) LOOP
            reached[n] := coalesce(ahead_by[array_position(ahead, p_waiting[n])], 0)
                          + cardinality(array_positions(p_served, p_waiting[n])) / p_weights[n];
            least := least(least, reached[n]);
        END LOOP;
        FOR n IN 1 .. cardinality(p_waiting) LOOP
            IF reached[n] - least > 1e-9 THEN
                names := names || p_waiting[n];
                leads := leads || (reached[n] - least);
            END IF;
        END LOOP;
        RETURN names::text || '|' || leads::text;
    END IF;
    RETURN (
        WITH reached AS (
            SELECT g.tenant_id, g.waits,
                   g.start + CASE WHEN g.n = 0 THEN 0
                                  ELSE g.n::float8 / coalesce((SELECT w.weight FROM youtility_tasks_tenant w WHERE w.id = g.tenant_id), 1) END AS start
              FROM (SELECT o.tenant_id, max(o.start) AS start, sum(o.n) AS n, bool_or(o.waits) AS waits
                      FROM (SELECT u.tenant_id, 0::float8 AS start, 0 AS n, true AS waits FROM unnest(p_waiting) AS u(tenant_id)
                            UNION ALL
                            SELECT s.tenant_id, 0, 1, false FROM unnest(p_served) AS s(tenant_id)
                            UNION ALL
                            SELECT t.tenant_id, t.start, 0, false FROM unnest(ahead, ahead_by) AS t(tenant_id, start)) o
                     GROUP BY o.tenant_id) g
        ), least AS (
            SELECT min(r.start) AS start FROM reached r WHERE r.waits
        )
        SELECT coalesce(array_agg(r.tenant_id), '{}')::text || '|' || coalesce(array_agg(r.start - l.start), '{}')::text
          FROM (SELECT * FROM reached q ORDER BY q.waits DESC, q.start DESC LIMIT 128) r
         CROSS JOIN least l WHERE r.start - l.start > 1e-9);
END $$;
