-- A job that comes to an idle queue is handed to an idle worker by the transaction that enqueues it, as it commits: the worker is notified
-- of the job itself and need not claim it, which takes a round trip and a commit off the time from enqueue to the task's first line.

-- Who waits to be handed a job: a row for each worker that has found its queue empty, written once for a connection and not for each job. That
-- it is there says little: `key` is that of a lock of the worker's session, and the server lets go of it when that session ends.
CREATE TABLE youtility_tasks_offer (
    worker_id bigint PRIMARY KEY REFERENCES procrastinate_workers (id) ON DELETE CASCADE,
    queue_name text NOT NULL,
    slots integer NOT NULL CHECK (slots > 0),
    channel text NOT NULL,
    key integer NOT NULL,
    fresh_s double precision NOT NULL CHECK (fresh_s > 0)
);
CREATE INDEX youtility_tasks_offer_queue ON youtility_tasks_offer (queue_name);

-- Wait to be handed jobs, on p_channel. Anybody may notify on any channel: what comes on this one is good because nobody else knows it.
-- p_fresh_s: none for a worker whose last renewal is longer ago. Session locks of this connection are ours alone.
CREATE FUNCTION youtility_tasks_offer_v1(p_worker_id bigint, p_queue text, p_slots integer, p_channel text, p_fresh_s double precision)
RETURNS void LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    -- A new one each time: the one before may be held by a session whose client is gone, and the server has not noticed.
    new_key CONSTANT integer := (random() * 2147483647)::integer;
BEGIN
    PERFORM pg_advisory_unlock_all(), pg_advisory_lock(hashtext('youtility_tasks_offer'), new_key);
    INSERT INTO youtility_tasks_offer (worker_id, queue_name, slots, channel, key, fresh_s)
    VALUES (p_worker_id, p_queue, p_slots, p_channel, new_key, p_fresh_s)
    ON CONFLICT (worker_id) DO UPDATE
       SET queue_name = excluded.queue_name, slots = excluded.slots, channel = excluded.channel, key = excluded.key, fresh_s = excluded.fresh_s;
END $$;

-- As in 0004; but whoever is handing a job to this worker ends first, and of what goes back the queue's other workers are told.
CREATE OR REPLACE FUNCTION youtility_tasks_unregister_v1(p_worker_id bigint)
RETURNS integer LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    given_back integer;
    its_queue text;
BEGIN
    PERFORM FROM procrastinate_workers w WHERE w.id = p_worker_id FOR UPDATE;
    SELECT cardinality(youtility_tasks_give_back_v1(p_worker_id, '', array_agg(j.id))) INTO given_back
      FROM procrastinate_jobs j WHERE j.worker_id = p_worker_id AND j.status = 'doing';
    DELETE FROM procrastinate_workers w WHERE w.id = p_worker_id;
    UPDATE youtility_tasks_taskworker t SET status = 'stopped', stopped_at = clock_timestamp(), children = '[]'
     WHERE t.id = p_worker_id RETURNING t.queue_name INTO its_queue;
    IF given_back > 0 THEN
        PERFORM pg_notify('procrastinate_queue_v1#' || its_queue, '{"type": "job_inserted", "job_id": 0}');
    END IF;
    RETURN coalesce(given_back, 0);
END $$;

-- Hand a job that this transaction has enqueued to an idle worker; whether that was done. Only where a claim would take the same job without
-- weighing anything: no other one is ready, none has come due, none has a lock, nothing limits the queue. One transaction at a time does
-- so for a queue, and two never mean the same thread. It waits for nobody: what others have not committed it does not see.
-- The letter: worker, job, task, attempts, tenant, claim number, crashes, expires in s, trace, enqueued at, was due for s; behind a line break the
-- arguments.
CREATE FUNCTION youtility_tasks_hand_over_v1(p_job_id bigint, p_queue text)
RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET jit = off
SET enable_seqscan = off
SET enable_bitmapscan = off
SET lock_timeout = '50ms'
AS $$
#variable_conflict use_column
DECLARE
    most_offers CONSTANT integer := 3;
    most_bytes CONSTANT integer := 7000;  -- of 8,000 that a notification may have
    token CONSTANT text := current_setting('youtility_tasks.token', true);
    instant CONSTANT timestamptz := clock_timestamp();
    its_channel text;
    letter text;
BEGIN
    IF pg_trigger_depth() = 0  -- called by somebody who might ask about another tenant's job
        OR NOT EXISTS (SELECT FROM youtility_tasks_offer o WHERE o.queue_name = p_queue)
        OR current_setting('transaction_isolation') <> 'read committed'  -- else it does not see what a worker holds
        OR pg_notification_queue_usage() > 0.5
        OR NOT pg_try_advisory_xact_lock(hashtext('youtility_tasks_hand_over'), hashtext(p_queue)) THEN
        RETURN false;
    END IF;
    PERFORM set_config('youtility_tasks.token', '', true);  -- what waits is to be seen whole, whoever enqueues
    WITH offers AS (
        SELECT o.worker_id, o.slots, o.channel, o.key
          FROM youtility_tasks_offer o
         WHERE o.queue_name = p_queue
           AND (SELECT w.last_heartbeat FROM procrastinate_workers w WHERE w.id = o.worker_id) > instant - o.fresh_s * interval '1 second'
         ORDER BY random() LIMIT most_offers
    ), picked AS (
        SELECT o.worker_id, o.channel
          FROM offers o
         WHERE NOT pg_try_advisory_xact_lock_shared(hashtext('youtility_tasks_offer'), o.key)  -- its session holds it
           AND (SELECT count(*) FROM (SELECT FROM procrastinate_jobs d
                                       WHERE d.worker_id = o.worker_id AND d.status = 'doing' LIMIT o.slots) held) < o.slots
         LIMIT 1
    )
    UPDATE procrastinate_jobs j
       SET status = 'doing', worker_id = p.worker_id, claim_number = j.claim_number + 1, claimed_at = clock_timestamp()
      FROM picked p
     WHERE j.id = p_job_id AND j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NULL AND j.queue_name = p_queue
       AND j.parked_by = 0 AND NOT j.abort_requested AND octet_length(j.args::text) + coalesce(octet_length(j.trace), 0) <= most_bytes
       AND NOT EXISTS (SELECT FROM youtility_tasks_queuecontrol c WHERE c.queue_name IN (p_queue, ''))
       AND NOT EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = j.tenant_id AND NOT t.is_active)
       -- each in the order of an index that no other has
       AND (SELECT count(*) FROM (SELECT FROM procrastinate_jobs r
                                   WHERE r.status = 'todo' AND r.scheduled_at IS NULL AND r.lock IS NULL AND r.queue_name = p_queue
                                     AND r.parked_by = 0 ORDER BY -r.priority, r.tenant_id, r.id LIMIT 2) ready) = 1
       AND (SELECT 1 FROM procrastinate_jobs d
             WHERE d.status = 'todo' AND d.scheduled_at <= instant AND d.lock IS NULL AND d.queue_name = p_queue
               AND d.parked_by = 0 ORDER BY d.scheduled_at LIMIT 1) IS NULL
       AND (SELECT 1 FROM procrastinate_jobs k
             WHERE k.status = 'todo' AND k.lock IS NOT NULL AND k.queue_name = p_queue
             ORDER BY k.tenant_id, k.lock LIMIT 1) IS NULL
    RETURNING p.channel,
              json_build_array(p.worker_id, j.id, j.task_name, j.attempts, j.tenant_id, j.claim_number, j.crash_count,
                               extract(epoch FROM j.expires_at - clock_timestamp())::float8, j.trace,
                               extract(epoch FROM j.enqueued_at)::float8, extract(epoch FROM j.claimed_at - j.enqueued_at)::float8)::text
                  || E'\n' || j.args::text
         INTO its_channel, letter;
    IF letter IS NOT NULL THEN
        PERFORM pg_notify(its_channel, letter);
    END IF;
    PERFORM set_config('youtility_tasks.token', coalesce(token, ''), true);
    RETURN letter IS NOT NULL;
EXCEPTION WHEN foreign_key_violation OR lock_not_available OR insufficient_privilege THEN
    RETURN false;  -- the worker is gone, or somebody has locked a table, or `setup_task_queue` is yet to run: nobody who enqueues fails for it
END $$;

-- As in 0008, but for a job that an idle worker is handed: of that nobody else need hear.
CREATE OR REPLACE FUNCTION youtility_tasks_wake_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    this_moment text;
BEGIN
    IF current_setting('youtility_tasks.woken', true) = NEW.queue_name THEN
        RETURN NULL;  -- by an earlier row of this transaction
    END IF;
    IF NEW.lock IS NULL AND NEW.scheduled_at IS NULL
       AND current_setting('youtility_tasks.kept', true) IS DISTINCT FROM NEW.queue_name THEN
        IF youtility_tasks_hand_over_v1(NEW.id, NEW.queue_name) THEN
            RETURN NULL;
        END IF;
        PERFORM set_config('youtility_tasks.kept', NEW.queue_name, true);  -- of each of a thousand rows it would be the same
    END IF;
    this_moment := NEW.queue_name || floor(extract(epoch FROM clock_timestamp()) * 20);
    IF pg_notification_queue_usage() < 0.5
       AND pg_try_advisory_xact_lock(hashtext('youtility_tasks_wake'), hashtext(this_moment)) THEN
        PERFORM set_config('youtility_tasks.woken', NEW.queue_name, true);
        PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, '{"type": "job_inserted", "job_id": 0}'),
                pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
    END IF;
    RETURN NULL;
END $$;

-- With its owner's rights, as those of 0015: who enqueues may change no job and see no worker. Anybody may call it, as the trigger does.
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_hand_over_v1(bigint, text) SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', current_schema());
END $do$;
