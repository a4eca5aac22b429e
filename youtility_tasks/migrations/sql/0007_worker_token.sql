-- Register a worker, and rescue at once what those of p_dead held: workers whose supervisor saw them and all their
-- children die. A token is random and stands for one life of one process: host names and pids come back.
-- The first row names the worker; every further row is a rescued job, as youtility_tasks_rescue_v1 returns it.
--
-- The dead are made as silent as can be, and the rescue of every day does the rest. A statement of theirs that is still
-- under way holds their row, which that rescue skips; then the mark stays, and any worker's next look finds it.
CREATE FUNCTION youtility_tasks_register_v2(
    p_host text, p_pid integer, p_supervisor_pid integer, p_queue text, p_slots integer, p_token text, p_dead text[],
    p_lease_s double precision, p_max_rescues integer)
RETURNS TABLE (worker_id bigint, silent_id bigint, job_id bigint, task_name varchar, verdict text) LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH w AS (SELECT r.worker_id FROM procrastinate_register_worker_v1() r)
        INSERT INTO youtility_tasks_taskworker AS t
               (id, host, pid, supervisor_pid, queue_name, status, slots, children, token)
        SELECT w.worker_id, p_host, p_pid, p_supervisor_pid, p_queue, 'running', p_slots, '[]', p_token FROM w
        RETURNING t.id, NULL::bigint, NULL::bigint, NULL::varchar, NULL::text;
    UPDATE procrastinate_workers w SET last_heartbeat = 'epoch'
      FROM youtility_tasks_taskworker t WHERE t.id = w.id AND t.token <> '' AND t.token = ANY (p_dead);
    IF FOUND THEN
        RETURN QUERY SELECT NULL::bigint, r.worker_id, r.job_id, r.task_name, r.verdict
                       FROM youtility_tasks_rescue_v1(p_lease_s, p_max_rescues) r;
    END IF;
END $$;
