-- Limits on what runs, rates and pauses: changed at any time, kept by every worker, and never exceeded by one job.

-- The controls of a queue, with how many more jobs each lets run now. Whoever reads them to claim first holds their locks:
-- of all workers that share a control one claims at a time, and it sees what the one before has claimed.
CREATE FUNCTION youtility_tasks_controls_v1(p_queue text, p_now timestamptz)
RETURNS TABLE (id integer, task_name text, tenant_id integer, room integer, tokens float8, rate_per_s float8, opens_in float8) LANGUAGE sql STABLE
AS $$
    SELECT c.id, c.task_name, c.tenant_id,
           CASE WHEN p.is_shut THEN 0 ELSE least(c.max_running - r.n, floor(t.tokens), 2147483647)::integer END,
           t.tokens, c.rate_per_s,
           -- until there may be room: a pause says when it ends; a token comes at a known time; when a job ends nobody knows
           CASE WHEN p.is_shut THEN extract(epoch FROM c.paused_until - p_now)::float8
                WHEN c.max_running <= r.n THEN 0.25
                WHEN t.tokens < 1 THEN (1 - t.tokens) / c.rate_per_s END
      FROM youtility_tasks_queuecontrol c
     CROSS JOIN LATERAL (SELECT c.is_paused AND (c.paused_until IS NULL OR c.paused_until > p_now) AS is_shut) p
     CROSS JOIN LATERAL (
        SELECT CASE WHEN c.max_running IS NOT NULL THEN (
            SELECT count(*) FROM procrastinate_jobs j
             WHERE j.status = 'doing' AND (c.queue_name = '' OR j.queue_name = c.queue_name)
               AND (c.task_name = '' OR j.task_name = c.task_name) AND (c.tenant_id IS NULL OR j.tenant_id = c.tenant_id)) END AS n) r
     CROSS JOIN LATERAL (
        -- a worker that comes late makes up for a quarter of a second
        SELECT CASE WHEN c.rate_per_s IS NOT NULL THEN
            least(greatest(c.burst, 1 + c.rate_per_s / 4),
                  c.tokens + greatest(0, extract(epoch FROM p_now - c.refilled_at)::float8) * c.rate_per_s) END AS tokens) t
     WHERE c.queue_name IN (p_queue, '')
$$;

-- As youtility_tasks_claim_v2, for a queue with controls. What may not run now is parked under the control that says so, if it
-- stands before others: it is looked at again once that control has room, and never in between. Each job is parked at most
-- once for each control that it meets.
CREATE FUNCTION youtility_tasks_claim_limited_v1(p_queue text, p_worker_id bigint, p_n integer, p_locks boolean DEFAULT true)
RETURNS SETOF procrastinate_jobs LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    passes CONSTANT integer := 10;
    instant timestamptz;
    controls integer[];
    tasks text[];
    owners integer[];
    rooms integer[];
    budgets float8[];
    rates float8[];
    opens float8[];
    parked integer[];
    scope integer;
    without integer[];
    everything_shut boolean := false;
    ids bigint[];
    waiting integer[] := '{}';
    candidate record;
    blocked_by integer;
    to_park bigint[];
    park_under integer[];
    is_over boolean;
    accepted bigint[];
    used integer[];
    look_after float8;
    rows procrastinate_jobs[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('youtility_tasks_control'), c.id)
       FROM (SELECT q.id FROM youtility_tasks_queuecontrol q WHERE q.queue_name IN (p_queue, '') ORDER BY q.id) c;
    instant := clock_timestamp();
    -- none of them is left if upkeep took the last one away while this claim waited for its lock
    SELECT coalesce(array_agg(c.id), '{}'), array_agg(c.task_name), array_agg(c.tenant_id), array_agg(c.room), array_agg(c.tokens),
           array_agg(c.rate_per_s), array_agg(c.opens_in)
      INTO controls, tasks, owners, rooms, budgets, rates, opens FROM youtility_tasks_controls_v1(p_queue, instant) c;
    used := array_fill(0, ARRAY[cardinality(controls)]);
    without := coalesce((SELECT array_agg(t.id) FROM youtility_tasks_tenant t WHERE NOT t.is_active), '{}');
    scope := 0;
    LOOP
        SELECT j.parked_by INTO scope FROM procrastinate_jobs j
         WHERE j.status = 'todo' AND j.lock IS NULL AND (j.scheduled_at IS NULL OR j.parked_by > 0) AND j.queue_name = p_queue
           AND j.parked_by > scope ORDER BY j.parked_by LIMIT 1;
        EXIT WHEN scope IS NULL;
        parked := parked || scope;
    END LOOP;

    FOR pass IN 1 .. passes LOOP
        FOR n IN 1 .. cardinality(controls) LOOP
            IF rooms[n] <= 0 AND tasks[n] = '' THEN
                IF owners[n] IS NULL THEN
                    everything_shut := true;
                ELSE
                    without := without || owners[n];
                END IF;
                look_after := least(look_after, opens[n]);
            END IF;
        END LOOP;
        EXIT WHEN everything_shut;
        ids := '{}';
        FOREACH scope IN ARRAY 0 || parked LOOP
            IF scope > 0 AND rooms[array_position(controls, scope)] <= 0 THEN
                look_after := least(look_after, opens[array_position(controls, scope)]);
                CONTINUE;
            END IF;
            SELECT ids || array_agg(r.id) FILTER (WHERE r.id IS NOT NULL), waiting || array_agg(r.tenant_id) FILTER (WHERE r.id IS NULL)
              INTO ids, waiting
              FROM youtility_tasks_ready_v1(p_queue, scope, p_n - cardinality(rows), without, NULL, NULL, NULL) r;
        END LOOP;
        ids := ids || youtility_tasks_due_v1(p_queue, '-infinity', instant, p_n);
        IF p_locks THEN
            ids := ids || youtility_tasks_lock_heads_v2(p_queue, instant, p_n, cardinality(ids) = 0, true);
        END IF;
        EXIT WHEN cardinality(ids) = 0;

        accepted := '{}';
        to_park := '{}';
        park_under := '{}';
        is_over := true;
        FOR candidate IN
            WITH found AS (
                SELECT j.id, j.priority, j.tenant_id, j.task_name, j.lock, j.scheduled_at FROM procrastinate_jobs j
                 WHERE j.id = ANY (ids) AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= instant)
                   FOR UPDATE SKIP LOCKED
            )
            SELECT p.* FROM (
                SELECT f.*, coalesce(t.start, 0)
                       + (row_number() OVER (PARTITION BY f.priority, f.tenant_id ORDER BY f.id) - 1)::float8 / coalesce(w.weight, 1) AS tag
                  FROM found f LEFT JOIN youtility_tasks_tenant w ON w.id = f.tenant_id
                  LEFT JOIN youtility_tasks_turns_v1() t ON t.tenant_id = f.tenant_id
                 WHERE coalesce(w.is_active, true)) p
             ORDER BY p.priority DESC, p.tag, p.id
        LOOP
            EXIT WHEN cardinality(rows) + cardinality(accepted) = p_n;
            blocked_by := NULL;
            FOR n IN 1 .. cardinality(controls) LOOP
                IF rooms[n] <= 0 AND tasks[n] IN ('', candidate.task_name) AND coalesce(owners[n], candidate.tenant_id) = candidate.tenant_id THEN
                    blocked_by := n;
                    EXIT;
                END IF;
            END LOOP;
            IF blocked_by IS NULL THEN
                accepted := accepted || candidate.id;
                FOR n IN 1 .. cardinality(controls) LOOP
                    IF tasks[n] IN ('', candidate.task_name) AND coalesce(owners[n], candidate.tenant_id) = candidate.tenant_id THEN
                        rooms[n] := rooms[n] - 1;
                        used[n] := used[n] + 1;
                        IF rooms[n] = 0 THEN
                            opens[n] := CASE WHEN budgets[n] - used[n] < 1 THEN (1 - budgets[n] + used[n]) / rates[n] ELSE 0.25 END;
                        END IF;
                    END IF;
                END LOOP;
            ELSE
                look_after := least(look_after, opens[blocked_by]);
                is_over := is_over AND candidate.lock IS NOT NULL;
                IF candidate.lock IS NOT NULL AND current_setting('youtility_tasks.locks_from', true) <> '' THEN
                    look_after := least(look_after, 0.1);  -- it is not parked, and hides other locks from all but the next look
                END IF;
                -- A tenant's ready jobs are passed over in the index, those that came due are not.
                IF candidate.lock IS NULL AND (tasks[blocked_by] <> '' OR candidate.scheduled_at IS NOT NULL) THEN
                    to_park := to_park || candidate.id;
                    park_under := park_under || controls[blocked_by];
                END IF;
            END IF;
        END LOOP;
        UPDATE procrastinate_jobs j SET parked_by = u.control
          FROM unnest(to_park, park_under) AS u(id, control) WHERE j.id = u.id AND j.parked_by <> u.control;
        -- Collected first and returned at the end: see youtility_tasks_claim_v2.
        WITH taken AS (
            UPDATE procrastinate_jobs j
               SET status = 'doing', worker_id = p_worker_id, claim_number = j.claim_number + 1, claimed_at = clock_timestamp(),
                   parked_by = 0
              FROM unnest(accepted) WITH ORDINALITY AS u(id, n)
             WHERE j.id = u.id RETURNING u.n, j)
        SELECT rows || array_agg(t.j ORDER BY t.n) INTO rows FROM taken t;
        EXIT WHEN is_over OR cardinality(rows) = p_n;
        IF pass = passes THEN
            look_after := 0;  -- behind so many parked ones there may be others
        END IF;
    END LOOP;
    PERFORM set_config('youtility_tasks.look_after', coalesce(look_after::text, ''), true);
    UPDATE youtility_tasks_queuecontrol c SET tokens = u.tokens - u.used, refilled_at = instant
      FROM unnest(controls, budgets, used) AS u(id, tokens, used) WHERE c.id = u.id AND c.rate_per_s IS NOT NULL AND u.used > 0;
    PERFORM set_config('youtility_tasks.turns', CASE WHEN cardinality(waiting) > 0 THEN youtility_tasks_turns_after_v1(waiting, rows) ELSE '' END, false);
    RETURN QUERY SELECT r.* FROM unnest(rows) r;
EXCEPTION WHEN unique_violation THEN
    IF NOT p_locks THEN
        RAISE;
    END IF;
    RETURN QUERY SELECT * FROM youtility_tasks_claim_limited_v1(p_queue, p_worker_id, p_n, false);
WHEN foreign_key_violation THEN
    RETURN;
END $$;

-- The pump: one round trip and one commit acknowledges what ended and claims up to p_n more. The last row answers for the
-- worker (job_id NULL): what was accepted, whether more may be had at once, and in how many seconds a job may be had that a
-- control keeps back now. Every row before is a claimed job; arguments travel as text, since the worker passes them on unread.
CREATE FUNCTION youtility_tasks_pump_v3(p_worker_id bigint, p_host text, p_ended jsonb, p_queue text, p_n integer)
RETURNS TABLE (accepted bigint[], look_again boolean, look_after_s float8, job_id bigint, task_name varchar, args text, attempts integer,
               tenant_id integer, claim_number bigint, crash_count smallint, has_lock boolean) LANGUAGE plpgsql
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
                            c.claim_number, c.crash_count, c.lock IS NOT NULL
                       FROM youtility_tasks_claim_limited_v1(p_queue, p_worker_id, p_n) c;
        GET DIAGNOSTICS claimed = ROW_COUNT;
        look_after_s := nullif(current_setting('youtility_tasks.look_after', true), '')::float8;
    ELSIF p_n > 0 THEN
        RETURN QUERY SELECT NULL::bigint[], NULL::boolean, NULL::float8, c.id, c.task_name, c.args::text, c.attempts, c.tenant_id,
                            c.claim_number, c.crash_count, c.lock IS NOT NULL
                       FROM youtility_tasks_claim_v2(p_queue, p_worker_id, p_n) c;
        GET DIAGNOSTICS claimed = ROW_COUNT;
    END IF;
    accepted := endings;
    look_again := claimed > 0 AND (claimed = p_n OR current_setting('youtility_tasks.locks_from', true) <> '');
    RETURN NEXT;
END $$;
