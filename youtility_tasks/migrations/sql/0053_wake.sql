-- As in 0008, but for a job that an idle worker is handed: of that nobody else need hear. A session that has just begun hands nothing over: it would plan
-- for longer than the claim takes, and an application that opens one for each request pays that each time. With its owner's rights, as those of 0015: who
-- enqueues may change no job and see no worker, and before version 18 of the server it is whoever commits.
CREATE OR REPLACE FUNCTION youtility_tasks_wake_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
DECLARE
    few CONSTANT integer := 3;
    commits integer;
    kept text;
    this_moment text;
BEGIN
    IF current_setting('youtility_tasks.woken', true) = NEW.queue_name THEN
        RETURN NULL;  -- by an earlier row of this transaction
    END IF;
    kept := coalesce(current_setting('youtility_tasks.kept', true), '');
    IF NEW.lock IS NULL AND NEW.scheduled_at IS NULL AND strpos(kept, '/' || NEW.queue_name || '/') = 0 THEN
        commits := coalesce(nullif(current_setting('youtility_tasks.commits', true), ''), '0')::integer;
        IF commits <= few THEN
            PERFORM set_config('youtility_tasks.commits', (commits + 1)::text, false);
        END IF;
        IF commits >= few AND youtility_tasks_hand_over_v1(NEW.id, NEW.queue_name, commits > few) THEN
            RETURN NULL;
        END IF;
        -- of each of a thousand rows it would be the same
        PERFORM set_config('youtility_tasks.kept', kept || '/' || NEW.queue_name || '/', true);
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
DO $do$
BEGIN
    EXECUTE format('ALTER FUNCTION youtility_tasks_wake_v1() SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', current_schema());
END $do$;

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
