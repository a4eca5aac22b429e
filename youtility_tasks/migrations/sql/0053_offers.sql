-- A job that comes to an idle queue is handed to an idle worker by the transaction that enqueues it, as it commits: the worker is notified
-- of the job itself and need not claim it, which takes a round trip and a commit off the time from enqueue to the task's first line.

-- Who waits to be handed a job: a row for each worker that has found its queue empty, written once for a connection and not for each job. That
-- it is there says little: `key` is that of a lock of the worker's session, and the server lets go of it when that session ends.
CREATE TABLE IF NOT EXISTS youtility_tasks_offer (
    worker_id bigint PRIMARY KEY REFERENCES procrastinate_workers (id) ON DELETE CASCADE,
    queue_name text NOT NULL,
    slots integer NOT NULL CHECK (slots > 0),
    channel text NOT NULL,
    key integer NOT NULL,
    fresh_s double precision NOT NULL CHECK (fresh_s > 0)
);
CREATE INDEX IF NOT EXISTS youtility_tasks_offer_queue ON youtility_tasks_offer (queue_name);

-- Wait to be handed jobs, on p_channel, by this session. Anybody may notify on any channel, and hear on any: what comes on this one is good, and nobody
-- else's to read, because nobody else knows it; so it is in no statement's text. p_fresh_s: none for a worker whose last renewal is longer
-- ago. Session locks of this connection are ours alone. Of a worker that is not registered any more nothing is written.
CREATE OR REPLACE FUNCTION youtility_tasks_offer_v1(p_worker_id bigint, p_queue text, p_slots integer, p_channel text, p_fresh_s double precision)
RETURNS void LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    -- A new one each time: the one before may be held by a session whose client is gone, and the server has not noticed.
    new_key CONSTANT integer := (random() * 2147483647)::integer;
BEGIN
    EXECUTE format('LISTEN %I', p_channel);
    PERFORM pg_advisory_unlock_all(), pg_advisory_lock(hashtext('youtility_tasks_offer'), new_key);
    INSERT INTO youtility_tasks_offer (worker_id, queue_name, slots, channel, key, fresh_s)
    SELECT w.id, p_queue, p_slots, p_channel, new_key, p_fresh_s FROM procrastinate_workers w WHERE w.id = p_worker_id FOR KEY SHARE
    ON CONFLICT (worker_id) DO UPDATE
       SET queue_name = excluded.queue_name, slots = excluded.slots, channel = excluded.channel, key = excluded.key, fresh_s = excluded.fresh_s;
END $$;

-- A job is handed over as its transaction commits, and not before: what is done to it later in a transaction that stays open would come after its letter,
-- and the worker's row would be locked for as long. Whether that is so no function tells; but a deferred trigger that runs at once does.
CREATE OR REPLACE FUNCTION youtility_tasks_handed_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('youtility_tasks.handing', true) = 'on' THEN
        RAISE EXCEPTION 'constraints are immediate, and the transaction may go on';
    END IF;
    RETURN NULL;
END $$;

-- Claim a job that this transaction has enqueued for an idle worker. Only where a claim would take the same job without weighing anything: no other one
-- is ready, none has come due, none has a lock, nothing limits the queue. The letter: worker, job, task, attempts, tenant, claim number,
-- crashes, expires in s, trace, enqueued at, was due for s; behind a line break the arguments.
CREATE OR REPLACE FUNCTION youtility_tasks_claim_for_v1(p_job_id bigint, p_queue text, OUT its_channel text, OUT letter text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET jit = off
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    most_offers CONSTANT integer := 3;
    most_bytes CONSTANT integer := 7000;  -- of 8,000 that a notification may have
    instant CONSTANT timestamptz := clock_timestamp();
BEGIN
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
     WHERE j.id = p_job_id AND octet_length(j.args::text) + coalesce(octet_length(j.trace), 0) <= most_bytes
       AND NOT EXISTS (SELECT FROM youtility_tasks_queuecontrol c WHERE c.queue_name IN (p_queue, ''))
       AND NOT EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = j.tenant_id AND NOT t.is_active)
       -- each in the order of an index that no other has
       AND ARRAY(SELECT r.id FROM procrastinate_jobs r
                  WHERE r.status = 'todo' AND r.scheduled_at IS NULL AND r.lock IS NULL AND r.queue_name = p_queue
                    AND r.parked_by = 0 ORDER BY -r.priority, r.tenant_id, r.id LIMIT 2) = ARRAY[p_job_id]
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
END $$;

-- Hand a job that this transaction has enqueued to an idle worker; whether that was done. One transaction at a time does so for a queue, and two never
-- mean the same thread. It waits for nobody: what others have not committed it does not see. Whatever goes wrong in it, who enqueues does not fail for it.
-- When it takes long twice in a session (an old snapshot keeps what was claimed in the indexes, and claims alone know where to begin), the workers are
-- told by an empty letter, and rest; p_is_planned: this session has done it before, so that it was not the planning.
CREATE OR REPLACE FUNCTION youtility_tasks_hand_over_v1(p_job_id bigint, p_queue text, p_is_planned boolean)
RETURNS boolean LANGUAGE plpgsql
SET lock_timeout = '50ms'
AS $$
DECLARE
    long CONSTANT interval := '5 ms';
    token CONSTANT text := current_setting('youtility_tasks.token', true);
    instant CONSTANT timestamptz := clock_timestamp();
    took_long CONSTANT boolean := coalesce(nullif(current_setting('youtility_tasks.took_long', true), ''), 'false')::boolean;
    takes_long boolean;
    handed record;
BEGIN
    IF NOT EXISTS (SELECT FROM youtility_tasks_offer o WHERE o.queue_name = p_queue)
        OR current_setting('transaction_isolation') <> 'read committed'  -- else it does not see what a worker holds
        OR pg_notification_queue_usage() > 0.5
        OR NOT pg_try_advisory_xact_lock(hashtext('youtility_tasks_hand_over'), hashtext(p_queue)) THEN
        RETURN false;
    END IF;
    -- What waits is to be seen whole, whoever enqueues.
    PERFORM set_config('youtility_tasks.token', '', true), set_config('youtility_tasks.handing', 'on', true);
    handed := youtility_tasks_claim_for_v1(p_job_id, p_queue);
    IF handed.letter IS NOT NULL THEN
        PERFORM pg_notify(handed.its_channel, handed.letter);
    END IF;
    takes_long := p_is_planned AND clock_timestamp() - instant > long;
    IF takes_long AND took_long THEN
        PERFORM pg_notify(o.channel, '') FROM youtility_tasks_offer o WHERE o.queue_name = p_queue;
    END IF;
    IF takes_long <> took_long THEN
        PERFORM set_config('youtility_tasks.took_long', takes_long::text, false);
    END IF;
    PERFORM set_config('youtility_tasks.token', coalesce(token, ''), true), set_config('youtility_tasks.handing', '', true);
    RETURN handed.letter IS NOT NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE DEBUG 'job % is handed to nobody: %', p_job_id, SQLERRM;
    RETURN false;
END $$;
