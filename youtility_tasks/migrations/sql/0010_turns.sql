-- A claim that serves tenants in turn, that costs the same beside thousands of locks, and that does not walk past the
-- jobs that have ended each time while an old snapshot keeps their rows.

-- Why a job that could run is not even looked at: the control (a limit, a rate, a pause) that it met last; 0 is none.
ALTER TABLE procrastinate_jobs ADD COLUMN parked_by integer NOT NULL DEFAULT 0;

-- Tenants apart within a priority: a claim finds who waits by one probe a tenant, and then reads only what it takes.
DROP INDEX youtility_tasks_jobs_ready_free, youtility_tasks_jobs_due_free, youtility_tasks_jobs_locks;
CREATE INDEX youtility_tasks_jobs_ready_free ON procrastinate_jobs (queue_name, parked_by, (-priority), tenant_id, id)
    WHERE status = 'todo' AND lock IS NULL AND (scheduled_at IS NULL OR parked_by > 0);
CREATE INDEX youtility_tasks_jobs_due_free ON procrastinate_jobs (queue_name, scheduled_at)
    WHERE status = 'todo' AND lock IS NULL AND scheduled_at IS NOT NULL AND parked_by = 0;
-- What came due, by priority; youtility_tasks_jobs_due_free has it by time.
CREATE INDEX youtility_tasks_jobs_due_order ON procrastinate_jobs (queue_name, (-priority), scheduled_at)
    WHERE status = 'todo' AND lock IS NULL AND scheduled_at IS NOT NULL AND parked_by = 0;
CREATE INDEX youtility_tasks_jobs_locks ON procrastinate_jobs (queue_name, tenant_id, lock)
    WHERE status = 'todo' AND lock IS NOT NULL;

-- A worker that leaves or is rescued: its jobs' rows name it by a foreign key, and procrastinate's index of that cannot answer for
-- all states, so that each such end read the whole table (0.14 s with 1,000,000 jobs, now 2 ms).
CREATE INDEX youtility_tasks_jobs_worker ON procrastinate_jobs (worker_id) WHERE worker_id IS NOT NULL;

-- What a claim remembers for the next one of its session; all of it may be lost without harm:
--   youtility_tasks.turns         how far each tenant is ahead of its share: forgetting it costs a turn
--   youtility_tasks.tenants_from  where to go on among more tenants than one claim looks at
--   youtility_tasks.locks_from    where to go on among more locks of a tenant than one claim looks at
--   youtility_tasks.floors        the last job taken of each priority and tenant, used for a moment when looking was slow
CREATE FUNCTION youtility_tasks_turns_v1()
RETURNS TABLE (tenant_id integer, start float8) LANGUAGE sql STABLE
AS $$
    SELECT t.tenant_id, t.start
      FROM nullif(current_setting('youtility_tasks.turns', true), '') AS s(state),
           unnest(split_part(s.state, '|', 1)::integer[], split_part(s.state, '|', 2)::float8[]) AS t(tenant_id, start)
$$;

-- The tenants with a job that is ready at one priority: at most p_most (NULL: all), from p_from on and round, without some.
CREATE FUNCTION youtility_tasks_tenants_ready_v1(
    p_queue text, p_parked_by integer, p_level integer, p_from integer, p_most integer, p_without integer[])
RETURNS integer[] LANGUAGE plpgsql STABLE
AS $$
DECLARE
    found integer[] := '{}';
    latest integer := p_from - 1;
    is_round boolean := false;
BEGIN
    LOOP
        SELECT j.tenant_id INTO latest FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
           AND j.parked_by = p_parked_by AND -j.priority = p_level AND j.tenant_id > latest ORDER BY j.tenant_id LIMIT 1;
        IF latest IS NULL AND NOT is_round AND p_from > 0 THEN
            is_round := true;
            latest := -1;
            CONTINUE;
        END IF;
        EXIT WHEN latest IS NULL OR (is_round AND latest >= p_from);
        IF latest <> ALL (p_without) THEN
            found := found || latest;
        END IF;
        EXIT WHEN cardinality(found) = p_most;
    END LOOP;
    RETURN found;
END $$;

-- Up to p_n jobs that are ready and have no lock, taken FOR UPDATE: by priority, and within a priority so that each
-- tenant gets its share by weight, as far as it has jobs (start-time fair queueing: Goyal, Vin, Cheng 1996). A row
-- without an id names a tenant that waits.
--
-- p_levels, p_tenants, p_floors: look only there, for jobs after these ids. NULL: look everywhere. Never at p_without.
CREATE FUNCTION youtility_tasks_ready_v1(
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
                SELECT array_agg(x.id ORDER BY x.tag, x.place, x.id), array_agg(x.tenant_id ORDER BY x.tag, x.place, x.id) INTO ids, owners FROM (
                    SELECT j.id, s.tenant_id, s.place, s.start + (row_number() OVER (PARTITION BY s.tenant_id ORDER BY j.id) - 1) / s.weight AS tag
                      FROM (SELECT a.*,
                                   -- as far as all of them would get, had each enough
                                   least(need, greatest(0, ceil(((reach * need + sum(a.start * a.weight) OVER ()) / sum(a.weight) OVER () - a.start)
                                                                * a.weight)) + 1) AS n
                              FROM (SELECT u.tenant_id, u.place, coalesce(w.weight, 1)::float8 AS weight, coalesce(t.start, 0) AS start,
                                           coalesce(f.id, -1) AS floor
                                      FROM unnest(tenants) WITH ORDINALITY AS u(tenant_id, place)
                                      LEFT JOIN youtility_tasks_tenant w ON w.id = u.tenant_id
                                      LEFT JOIN youtility_tasks_turns_v1() t ON t.tenant_id = u.tenant_id
                                      LEFT JOIN unnest(p_levels, p_tenants, p_floors) AS f(level, tenant_id, id)
                                             ON f.level = here AND f.tenant_id = u.tenant_id) a) s
                     CROSS JOIN LATERAL (
                        SELECT i.id FROM procrastinate_jobs i
                         WHERE i.status = 'todo' AND i.lock IS NULL AND (i.scheduled_at IS NULL OR i.parked_by > 0)
                           AND i.queue_name = p_queue AND i.parked_by = p_parked_by AND -i.priority = here
                           -- written so that no other index has this order: a plan made on an empty table may choose any that has
                           AND (i.tenant_id, i.id) > (s.tenant_id, s.floor) AND i.tenant_id <= s.tenant_id
                         ORDER BY i.tenant_id, i.id LIMIT s.n FOR UPDATE SKIP LOCKED) j
                     ORDER BY tag, s.place, j.id LIMIT need) x;
                EXIT WHEN cardinality(tenants) = 1 OR cardinality(ids) = need OR reach >= need;
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

-- Up to p_n jobs without a lock that came due in a time, taken FOR UPDATE: by priority, then by time.
CREATE FUNCTION youtility_tasks_due_v1(p_queue text, p_from timestamptz, p_until timestamptz, p_n integer)
RETURNS bigint[] LANGUAGE plpgsql
AS $$
DECLARE
    here integer := -2147483648;
    ids bigint[] := '{}';
BEGIN
    WHILE cardinality(ids) < p_n LOOP
        SELECT -j.priority INTO here FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL AND j.parked_by = 0 AND j.queue_name = p_queue
           AND -j.priority > here ORDER BY -j.priority LIMIT 1;
        EXIT WHEN here IS NULL;
        SELECT ids || array_agg(d.id) INTO ids FROM (
            SELECT j.id FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.lock IS NULL AND j.scheduled_at IS NOT NULL AND j.parked_by = 0 AND j.queue_name = p_queue
               -- written so that no other index has this order, as in youtility_tasks_ready_v1
               AND (-j.priority, j.scheduled_at) >= (here, p_from) AND (-j.priority, j.scheduled_at) <= (here, p_until)
             ORDER BY -j.priority, j.scheduled_at LIMIT p_n - cardinality(ids) FOR UPDATE SKIP LOCKED) d;
    END LOOP;
    RETURN nullif(ids, '{}');
END $$;

-- The locks of a tenant's waiting jobs in a queue, in their order: at most p_most, from p_from on and before p_before.
CREATE FUNCTION youtility_tasks_locks_v1(p_queue text, p_tenant_id integer, p_from text, p_before text, p_most integer)
RETURNS text[] LANGUAGE sql STABLE
AS $$
    WITH RECURSIVE every (lock, n) AS (
        (SELECT j.lock::text, 1 FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.lock IS NOT NULL AND j.queue_name = p_queue
            AND (j.tenant_id, j.lock) >= (p_tenant_id, p_from) AND j.tenant_id <= p_tenant_id ORDER BY j.tenant_id, j.lock LIMIT 1)
        UNION ALL
        SELECT (SELECT j.lock FROM procrastinate_jobs j
                 WHERE j.status = 'todo' AND j.lock IS NOT NULL AND j.queue_name = p_queue
                   AND (j.tenant_id, j.lock) > (p_tenant_id, e.lock) AND j.tenant_id <= p_tenant_id ORDER BY j.tenant_id, j.lock LIMIT 1),
               e.n + 1
          FROM every e WHERE e.n < p_most AND e.lock IS NOT NULL AND (p_before IS NULL OR e.lock < p_before)
    )
    SELECT coalesce(array_agg(e.lock ORDER BY e.n) FILTER (WHERE p_before IS NULL OR e.lock < p_before), '{}')
      FROM every e WHERE e.lock IS NOT NULL
$$;

DROP FUNCTION youtility_tasks_lock_heads_v1;
-- The jobs with a lock that may be claimed now: the first waiting one of its lock, whatever its queue or schedule, and
-- none of that lock running (procrastinate's rule).
--
-- A bounded walk in claim order names the locks first. When it did not see all that wait, some locks of each tenant are
-- visited one by one besides (each costs a few index probes, however many jobs wait behind it), and the next claim goes on
-- where this one stopped: neither a crowd behind one lock nor a crowd of locks hides anybody. Only an idle worker
-- looks at very many in one go. p_all: go on also when the walk has found enough, since controls may keep all of that.
CREATE FUNCTION youtility_tasks_lock_heads_v2(
    p_queue text, p_now timestamptz, p_n integer, p_is_idle boolean, p_all boolean DEFAULT false)
RETURNS bigint[] LANGUAGE plpgsql
AS $$
DECLARE
    walk CONSTANT integer := p_n + 100;
    most_locks CONSTANT integer := 20000;
    most_tenants CONSTANT integer := greatest(p_n, 32);
    resume CONSTANT jsonb := coalesce(nullif(current_setting('youtility_tasks.locks_from', true), ''), '{}');
    seen integer;
    walked text[];
    heads bigint[];
    tenants integer[];
    began CONSTANT integer := coalesce((resume ->> 'tenant')::integer, 0);
    first_tenant integer := began;
    next_tenant integer;
    is_round boolean := false;
    visits integer;
    most_visits integer;
    looked_at integer := 0;
    has_more boolean;
    locks text[];
    visited text[];
    remains jsonb := resume - 'tenant';
BEGIN
    WITH ready AS (
        SELECT j.lock FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NOT NULL AND j.queue_name = p_queue
         ORDER BY -j.priority, j.id LIMIT walk
    ), due AS (
        SELECT j.lock FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.scheduled_at <= p_now AND j.lock IS NOT NULL AND j.queue_name = p_queue
         ORDER BY j.scheduled_at LIMIT walk
    )
    SELECT count(*), array_agg(DISTINCT w.lock) INTO seen, walked FROM (SELECT * FROM ready UNION ALL SELECT * FROM due) w;
    IF seen > 0 THEN
        heads := youtility_tasks_first_of_locks_v1(p_queue, p_now, walked);
    END IF;
    IF seen < walk THEN
        PERFORM set_config('youtility_tasks.locks_from', '', false);
        RETURN heads;
    END IF;
    LOOP
        tenants := '{}';
        next_tenant := first_tenant - 1;
        LOOP
            SELECT j.tenant_id INTO next_tenant FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.lock IS NOT NULL AND j.queue_name = p_queue AND j.tenant_id > next_tenant
             ORDER BY j.tenant_id LIMIT 1;
            EXIT WHEN next_tenant IS NULL OR cardinality(tenants) = most_tenants;
            tenants := tenants || next_tenant;
        END LOOP;
        IF NOT p_all AND cardinality(tenants) = 1 AND began = 0 AND cardinality(heads) >= p_n THEN
            PERFORM set_config('youtility_tasks.locks_from', '', false);
            RETURN heads;
        END IF;
        -- What is remembered of tenants before and after these stays; of those that have no more locks it is forgotten.
        SELECT coalesce(jsonb_object_agg(r.key, r.value), '{}') INTO remains FROM jsonb_each(remains) r
         WHERE r.key::integer < first_tenant OR r.key::integer >= next_tenant;
        visits := greatest(2, (p_n + 50) / greatest(1, cardinality(tenants)));
        most_visits := greatest(visits, most_locks / greatest(1, cardinality(tenants)));
        LOOP
            locks := walked;
            has_more := false;
            FOR n IN 1 .. cardinality(tenants) LOOP
                visited := youtility_tasks_locks_v1(p_queue, tenants[n], coalesce(resume ->> tenants[n]::text, ''), NULL, visits + 1);
                IF cardinality(visited) <= visits AND resume ? tenants[n]::text THEN
                    visited := visited || youtility_tasks_locks_v1(
                        p_queue, tenants[n], '', resume ->> tenants[n]::text, visits + 1 - cardinality(visited));
                END IF;
                remains := remains - tenants[n]::text;
                IF cardinality(visited) > visits THEN
                    remains := remains || jsonb_build_object(tenants[n]::text, visited[visits + 1]);
                    has_more := true;
                END IF;
                locks := locks || visited[:visits];
            END LOOP;
            heads := youtility_tasks_first_of_locks_v1(p_queue, p_now, ARRAY(SELECT DISTINCT l.lock FROM unnest(locks) AS l(lock)));
            EXIT WHEN heads IS NOT NULL OR NOT p_is_idle OR NOT has_more OR visits >= most_visits;
            visits := least(most_visits, visits * 8);
        END LOOP;
        looked_at := looked_at + cardinality(locks);
        first_tenant := coalesce(next_tenant, 0);
        is_round := is_round OR next_tenant IS NULL;
        EXIT WHEN heads IS NOT NULL OR NOT p_is_idle OR looked_at >= most_locks OR (is_round AND first_tenant >= began);
    END LOOP;
    IF first_tenant > 0 THEN
        remains := remains || jsonb_build_object('tenant', first_tenant);
    END IF;
    PERFORM set_config('youtility_tasks.locks_from', CASE WHEN remains = '{}' THEN '' ELSE remains::text END, false);
    RETURN heads;
END $$;

-- Claim up to p_n jobs of one queue for a worker: by priority, fair between active tenants, then by id; what came due takes its
-- place by priority too, and by time. One statement never takes two of a lock, and every claim draws the job's next claim
-- number: the fence that all later writes must show.
--
-- While an old snapshot keeps the rows of ended jobs, each claim would walk past all of them. So once looking was slow
-- twice, the next claims start after the last job taken of each priority and tenant, for ten times as long as it took to
-- look (2 s at most): a job before these, or of a new tenant or priority, or with a lock, waits for the next full look. A
-- claim that finds less than it wants looks everywhere.
CREATE OR REPLACE FUNCTION youtility_tasks_claim_v2(p_queue text, p_worker_id bigint, p_n integer, p_locks boolean DEFAULT true)
RETURNS SETOF procrastinate_jobs LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
-- until ANALYZE has seen a backlog, reading all of it to sort or hash it looks cheaper than walking an index
SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
SET lock_timeout = '100ms'
AS $$
DECLARE
    -- A variable, since clock_timestamp() itself cannot bound an index scan: every future job would be looked at.
    instant CONSTANT timestamptz := clock_timestamp();
    slow CONSTANT interval := '3 ms';
    -- however long a look took: the server may have been short of breath for once
    longest CONSTANT interval := '2 s';
    floors text[] := string_to_array(nullif(current_setting('youtility_tasks.floors', true), ''), '|');
    is_short boolean := coalesce(instant < floors[1]::timestamptz, false);
    due_from timestamptz := CASE WHEN is_short THEN floors[5]::timestamptz ELSE '-infinity' END;
    ids bigint[];
    levels integer[];
    tenants integer[];
    others bigint[];
    waiting integer[];
    without integer[];
    waiting_levels integer[];
    last_level integer;
    is_lone boolean;
    is_contested boolean := true;
    took interval;
    rows procrastinate_jobs[];
BEGIN
    IF NOT is_short AND coalesce(current_setting('youtility_tasks.turns', true), '') = '' THEN
        -- The straight way, for a queue in which one tenant waits, or all that wait can be taken.
        WITH ready AS (
            SELECT j.id, -j.priority AS level, j.tenant_id FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
             ORDER BY -j.priority, j.tenant_id, j.id LIMIT p_n FOR UPDATE SKIP LOCKED
        ), due AS (
            SELECT j.id FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.scheduled_at <= instant AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
             ORDER BY j.scheduled_at LIMIT p_n FOR UPDATE SKIP LOCKED
        )
        SELECT r.*, d.others INTO ids, levels, tenants, last_level, is_lone, others
          FROM (SELECT array_agg(r.id), array_agg(r.level), array_agg(r.tenant_id), max(r.level), min(r.tenant_id) = max(r.tenant_id)
                  FROM ready r) r, (SELECT array_agg(d.id) AS others FROM due d) d;
        is_contested := (SELECT 1 FROM youtility_tasks_tenant t WHERE NOT t.is_active AND t.id = ANY (tenants) LIMIT 1) IS NOT NULL
            OR (cardinality(ids) = p_n AND NOT (is_lone AND (
                SELECT 1 FROM procrastinate_jobs j
                 WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue AND j.parked_by = 0
                   AND -j.priority = last_level AND j.tenant_id > tenants[1] ORDER BY j.tenant_id LIMIT 1) IS NULL));
    END IF;
    IF is_contested THEN
        without := coalesce((SELECT array_agg(t.id) FROM youtility_tasks_tenant t WHERE NOT t.is_active), '{}');
    END IF;
    WHILE is_contested LOOP
        SELECT array_agg(r.id) FILTER (WHERE r.id IS NOT NULL), array_agg(r.level) FILTER (WHERE r.id IS NOT NULL),
               array_agg(r.tenant_id) FILTER (WHERE r.id IS NOT NULL), array_agg(r.tenant_id) FILTER (WHERE r.id IS NULL),
               array_agg(r.level) FILTER (WHERE r.id IS NULL)
          INTO ids, levels, tenants, waiting, waiting_levels
          FROM youtility_tasks_ready_v1(
            p_queue, 0, p_n, without, CASE WHEN is_short THEN floors[2]::integer[] END, floors[3]::integer[], floors[4]::bigint[]) r;
        SELECT array_agg(d.id) INTO others FROM (
            SELECT j.id FROM procrastinate_jobs j
             WHERE j.status = 'todo' AND j.scheduled_at <= instant AND j.scheduled_at >= due_from AND j.lock IS NULL
               AND j.queue_name = p_queue AND j.parked_by = 0
             ORDER BY j.scheduled_at LIMIT p_n FOR UPDATE SKIP LOCKED) d;
        EXIT WHEN NOT is_short OR coalesce(cardinality(ids), 0) + coalesce(cardinality(others), 0) >= p_n;
        is_short := false;
        due_from := '-infinity';
    END LOOP;
    IF cardinality(others) = p_n THEN
        others := youtility_tasks_due_v1(p_queue, due_from, instant, p_n);  -- there may be more, and more urgent ones
    END IF;
    IF p_locks AND NOT is_short THEN
        others := others || youtility_tasks_lock_heads_v2(p_queue, instant, p_n, ids IS NULL AND others IS NULL);
    END IF;
    IF others IS NOT NULL OR NOT (is_contested OR is_lone) THEN
        WITH other AS (
            SELECT j.id, j.priority, j.tenant_id FROM procrastinate_jobs j
             -- due, too: another worker may have run the first of a lock since it was found, and put it back for later
             WHERE j.id = ANY (others) AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= instant)
               FOR UPDATE SKIP LOCKED
        ), found AS (
            SELECT f.id, f.level, f.tenant_id FROM unnest(ids, levels, tenants) AS f(id, level, tenant_id)
            UNION ALL
            SELECT o.id, -o.priority, o.tenant_id FROM other o
        ), placed AS (
            SELECT f.id, f.level, coalesce(t.start, 0)
                   + (row_number() OVER (PARTITION BY f.level, f.tenant_id ORDER BY f.id) - 1)::float8 / coalesce(w.weight, 1) AS tag
              FROM found f LEFT JOIN youtility_tasks_tenant w ON w.id = f.tenant_id
              LEFT JOIN youtility_tasks_turns_v1() t ON t.tenant_id = f.tenant_id
             WHERE coalesce(w.is_active, true)
        )
        SELECT array_agg(p.id ORDER BY p.level, p.tag, p.id) INTO ids
          FROM (SELECT p.* FROM placed p ORDER BY p.level, p.tag, p.id LIMIT p_n) p;
    END IF;
    took := clock_timestamp() - instant;
    IF ids IS NULL THEN
        RETURN;
    END IF;
    -- Collected first and returned after: rows that RETURN QUERY UPDATE has already put into the result survive the
    -- rollback of a later row's unique violation, and the worker would run jobs it does not own.
    WITH taken AS (
        UPDATE procrastinate_jobs j
           SET status = 'doing', worker_id = p_worker_id, claim_number = j.claim_number + 1, claimed_at = clock_timestamp()
          FROM unnest(ids) WITH ORDINALITY AS u(id, n)
         WHERE j.id = u.id RETURNING u.n, j)
    SELECT array_agg(t.j ORDER BY t.n) INTO rows FROM taken t;

    IF waiting IS NOT NULL THEN
        PERFORM set_config('youtility_tasks.turns', youtility_tasks_turns_after_v1(waiting, rows), false);
    ELSIF current_setting('youtility_tasks.turns', true) <> '' THEN
        PERFORM set_config('youtility_tasks.turns', '', false);
    END IF;
    IF is_short OR (took > slow AND cardinality(rows) = p_n) THEN
        PERFORM set_config(
            'youtility_tasks.floors',
            youtility_tasks_floors_after_v1(CASE WHEN is_short THEN floors[1] WHEN floors IS NULL THEN '-infinity'
                                                 ELSE (clock_timestamp() + least(longest, 10 * took))::text END,
                                            CASE WHEN is_short THEN floors END, rows, waiting_levels, waiting), false);
    ELSIF floors IS NOT NULL THEN
        PERFORM set_config('youtility_tasks.floors', '', false);
    END IF;
    RETURN QUERY SELECT r.* FROM unnest(rows) r;
EXCEPTION WHEN unique_violation OR lock_not_available THEN
    -- Another worker has just taken the same lock through a job this snapshot could not see, or is about to and has stopped
    -- half-way, as a stock worker may: leave locked jobs for the next round, never fail the worker.
    IF NOT p_locks THEN
        RAISE;
    END IF;
    RETURN QUERY SELECT * FROM youtility_tasks_claim_v2(p_queue, p_worker_id, p_n, false);
WHEN foreign_key_violation THEN
    -- This worker was rescued while it was frozen or cut off: it gets nothing, and its next renewal tells it so. The
    -- endings that it reports in the same round trip are judged all the same.
    RETURN;
END $$;

-- How far each tenant is ahead of the one that waits and has had the least, after these jobs. Of thousands only some are kept:
-- the others' turn comes by youtility_tasks.tenants_from, and each claim would read all that was kept.
CREATE FUNCTION youtility_tasks_turns_after_v1(p_waiting integer[], p_rows procrastinate_jobs[])
RETURNS text LANGUAGE sql STABLE
AS $$
    WITH served AS (
        SELECT r.tenant_id, count(*) AS n FROM unnest(p_rows) r GROUP BY r.tenant_id
    ), reached AS (
        SELECT e.tenant_id, coalesce(t.start, 0) + coalesce(s.n, 0)::float8 / coalesce(w.weight, 1) AS start
          FROM (SELECT u.tenant_id FROM unnest(p_waiting) AS u(tenant_id) UNION SELECT s.tenant_id FROM served s
                UNION SELECT t.tenant_id FROM youtility_tasks_turns_v1() t) e
          LEFT JOIN served s ON s.tenant_id = e.tenant_id LEFT JOIN youtility_tasks_turns_v1() t ON t.tenant_id = e.tenant_id
          LEFT JOIN youtility_tasks_tenant w ON w.id = e.tenant_id
    ), least AS (
        SELECT min(r.start) AS start FROM reached r WHERE r.tenant_id = ANY (p_waiting)
    )
    SELECT coalesce(array_agg(r.tenant_id), '{}')::text || '|' || coalesce(array_agg(r.start - l.start), '{}')::text
      FROM (SELECT * FROM reached q ORDER BY q.tenant_id = ANY (p_waiting) DESC, q.start DESC LIMIT 128) r
     CROSS JOIN least l WHERE r.start - l.start > 1e-9
$$;

-- Until when claims may start where this one ended, and where that is: for tenants that got nothing but wait, at the beginning.
CREATE FUNCTION youtility_tasks_floors_after_v1(
    p_until text, p_floors text[], p_rows procrastinate_jobs[], p_waiting_levels integer[], p_waiting integer[])
RETURNS text LANGUAGE sql STABLE
AS $$
    WITH reached AS (
        SELECT f.level, f.tenant_id, max(f.id) AS id FROM (
            SELECT * FROM unnest(p_floors[2]::integer[], p_floors[3]::integer[], p_floors[4]::bigint[])
            UNION ALL
            SELECT -r.priority, r.tenant_id, r.id FROM unnest(p_rows) r WHERE r.lock IS NULL AND r.scheduled_at IS NULL
            UNION ALL
            SELECT w.level, w.tenant_id, -1 FROM unnest(p_waiting_levels, p_waiting) AS w(level, tenant_id)
          ) AS f(level, tenant_id, id) GROUP BY f.level, f.tenant_id
    )
    SELECT concat_ws('|', p_until, coalesce(array_agg(f.level), '{}'), coalesce(array_agg(f.tenant_id), '{}'), coalesce(array_agg(f.id), '{}'),
                     coalesce((SELECT max(r.scheduled_at) FROM unnest(p_rows) r WHERE r.lock IS NULL),
                              p_floors[5]::timestamptz, 'infinity'))
      FROM reached f
$$;
