-- Workflows: steps wait in a table of their own until the edges into them are satisfied, and become jobs in the transaction that
-- ended the last step before them, whoever ended it: our worker, one of the release before, a stock worker, a rescue, an act.

ALTER TABLE procrastinate_jobs ADD COLUMN step_id bigint;

-- An edge, a step or a signal is of one run, and a run of one tenant, whoever writes it.
ALTER TABLE youtility_tasks_taskworkflow ADD CONSTRAINT yt_flow_root_of_tenant
    FOREIGN KEY (tenant_id, root_id) REFERENCES youtility_tasks_taskworkflow (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE youtility_tasks_workflowstep ADD CONSTRAINT yt_step_in_run_of_tenant
    FOREIGN KEY (tenant_id, workflow_id) REFERENCES youtility_tasks_taskworkflow (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE youtility_tasks_taskdependency
    ADD CONSTRAINT yt_edge_from_step_of_run FOREIGN KEY (tenant_id, workflow_id, parent_id)
        REFERENCES youtility_tasks_workflowstep (tenant_id, workflow_id, id) ON DELETE CASCADE,
    ADD CONSTRAINT yt_edge_to_step_of_run FOREIGN KEY (tenant_id, workflow_id, child_id)
        REFERENCES youtility_tasks_workflowstep (tenant_id, workflow_id, id) ON DELETE CASCADE;
ALTER TABLE youtility_tasks_workflowsignal ADD CONSTRAINT yt_signal_for_run_of_tenant
    FOREIGN KEY (tenant_id, workflow_id) REFERENCES youtility_tasks_taskworkflow (tenant_id, id) ON DELETE CASCADE;

-- Everything that moves a run holds the row of its outermost run: the steps of a run, and of the runs inside it, move one
-- transaction after the other. Without it two batches lock steps of one run in different orders and kill each other. Whoever takes
-- it may hold rows of jobs already, and so nobody who has it may wait for one.
CREATE FUNCTION youtility_tasks_flow_lock_v1(p_roots bigint[]) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM youtility_tasks_taskworkflow w WHERE w.id = ANY (p_roots) ORDER BY w.id FOR NO KEY UPDATE;
END $$;

-- The same for upkeep, which goes from run to run: it never waits for one while it holds another. False: somebody moves it now.
CREATE FUNCTION youtility_tasks_flow_try_lock_v1(p_root bigint) RETURNS boolean LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM youtility_tasks_taskworkflow w WHERE w.id = p_root FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND;
END $$;

-- A run and all that are steps in it, however deep.
CREATE FUNCTION youtility_tasks_flow_tree_v1(p_flows bigint[]) RETURNS bigint[] LANGUAGE sql STABLE
AS $$
    WITH RECURSIVE below (id) AS (
        SELECT f.id FROM unnest(p_flows) AS f(id)
        UNION
        SELECT w.id FROM below b
          JOIN youtility_tasks_workflowstep s ON s.workflow_id = b.id AND s.kind = 'sub'
          JOIN youtility_tasks_taskworkflow w ON w.parent_step_id = s.id
    )
    SELECT coalesce(array_agg(b.id), '{}') FROM below b
$$;

-- Let the turn of these blocked steps come: a task's is a job, a fan-out's are its items, a sub-workflow's its first steps. Returns
-- those that have ended by it at once: a signal that is there already, a list without elements, one that is no list, and all steps
-- of a tenant that left. p_steps of a run that is not running stay as they are.
CREATE FUNCTION youtility_tasks_flow_release_v1(p_steps bigint[]) RETURNS bigint[] LANGUAGE plpgsql
AS $$
DECLARE
    turn bigint[] := p_steps;
    inner_steps bigint[];
    ended bigint[] := '{}';
    found bigint[];
    fan record;
    list jsonb;
    made integer;
BEGIN
    WHILE cardinality(turn) > 0 LOOP
        WITH left_tenant AS (
            SELECT s.id FROM youtility_tasks_workflowstep s
             WHERE s.id = ANY (turn) AND s.status = 'blocked' AND s.tenant_id <> 0
               AND NOT EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = s.tenant_id AND t.is_active)
        ), left_step AS (
            UPDATE youtility_tasks_workflowstep s
               SET status = 'cancelled', ended_at = clock_timestamp(), error_message = 'Tenant ' || s.tenant_id || ' is not active.'
              FROM left_tenant l WHERE s.id = l.id RETURNING s.id
        )
        SELECT array_agg(o.id) INTO found FROM left_step o;
        IF found IS NOT NULL THEN
            ended := ended || found;
            PERFORM youtility_tasks_flow_skip_inside_v1(found);
        END IF;

        -- The turn of a step whose condition does not hold passes: it is skipped.
        found := ARRAY(SELECT s.id FROM youtility_tasks_workflowstep s
                        WHERE s.id = ANY (turn) AND s.status = 'blocked' AND s.only_if IS NOT NULL
                          AND youtility_tasks_flow_value_v1(s.id, s.only_if) IS DISTINCT FROM s.only_if -> 'equals');
        IF found <> '{}' THEN
            PERFORM youtility_tasks_flow_skip_v1(found);
            ended := ended || found;
        END IF;

        -- The job's id is drawn here, so that step and job know each other by one statement.
        WITH released AS (
            UPDATE youtility_tasks_workflowstep s
               SET status = 'todo', released_at = clock_timestamp(), job_id = nextval('procrastinate_jobs_id_seq')
             WHERE s.id = ANY (turn) AND s.status = 'blocked' AND s.kind IN ('task', 'item') RETURNING s.*
        )
        INSERT INTO procrastinate_jobs (id, queue_name, task_name, priority, lock, args, scheduled_at, tenant_id, noted, step_id)
        SELECT r.job_id, r.queue_name, r.task_name, r.priority, r.lock,
               coalesce(r.args, '{}') || jsonb_build_object('$flow', jsonb_build_array(
                   r.id, r.workflow_id, CASE WHEN r.refs IS NOT NULL THEN r.id
                                             WHEN r.group_id IS NOT NULL THEN (SELECT g.id FROM youtility_tasks_workflowstep g
                                                                                WHERE g.id = r.group_id AND g.refs IS NOT NULL) END)),
               greatest(r.run_after, clock_timestamp() + r.wait_s * interval '1 second'), r.tenant_id, w.noted, r.id
          FROM released r JOIN youtility_tasks_taskworkflow w ON w.id = r.workflow_id;

        WITH released AS (
            UPDATE youtility_tasks_workflowstep s
               SET status = CASE WHEN g.id IS NULL THEN 'todo' ELSE 'succeeded' END, result = g.payload,
                   ended_at = CASE WHEN g.id IS NOT NULL THEN clock_timestamp() END, released_at = clock_timestamp(),
                   timeout_at = clock_timestamp() + s.timeout_s * interval '1 second'
              FROM youtility_tasks_workflowstep o
              LEFT JOIN youtility_tasks_workflowsignal g
                ON g.tenant_id = o.tenant_id AND g.workflow_id = o.workflow_id AND g.name = o.name
             WHERE o.id = ANY (turn) AND o.status = 'blocked' AND o.kind = 'signal' AND s.id = o.id RETURNING s.id, s.status
        )
        SELECT ended || coalesce(array_agg(r.id) FILTER (WHERE r.status = 'succeeded'), '{}') INTO ended FROM released r;

        FOR fan IN
            UPDATE youtility_tasks_workflowstep s SET status = 'todo', released_at = clock_timestamp()
             WHERE s.id = ANY (turn) AND s.status = 'blocked' AND s.kind = 'fan_out' RETURNING s.*
        LOOP
            list := CASE WHEN fan.over ? '$ref' THEN youtility_tasks_flow_value_v1(fan.id, fan.over) ELSE fan.over -> 'list' END;
            IF jsonb_typeof(list) IS DISTINCT FROM 'array' THEN
                UPDATE youtility_tasks_workflowstep s
                   SET status = 'failed', ended_at = clock_timestamp(), error_class = 'youtility_tasks.errors.ResultMissing',
                       error_message = format('Step %L fans out over what is no list: %s.', fan.name, coalesce(jsonb_typeof(list), 'nothing'))
                 WHERE s.id = fan.id;
                ended := ended || fan.id;
                CONTINUE;
            END IF;
            -- Two rows an element, and nothing that grows with how many there are beside them.
            WITH element AS (
                SELECT e.value, e.n FROM jsonb_array_elements(list) WITH ORDINALITY AS e(value, n)
            ), item AS (
                INSERT INTO youtility_tasks_workflowstep (
                    tenant_id, workflow_id, name, kind, status, task_name, queue_name, priority, args, lock, group_id, item_index,
                    job_id, released_at)
                SELECT fan.tenant_id, fan.workflow_id, left(fan.name, 190) || '[' || e.n - 1 || ']', 'item', 'todo', fan.task_name,
                       fan.queue_name, fan.priority,
                       CASE WHEN fan.over ? '$ref' AND fan.item <> '' THEN youtility_tasks_flow_args_v1(fan.args, jsonb_build_object(fan.item, e.value))
                            WHEN fan.over ? '$ref' THEN youtility_tasks_flow_args_v1(fan.args, CASE WHEN jsonb_typeof(e.value) = 'object' THEN e.value ELSE jsonb_build_object('item', e.value) END)
                            ELSE youtility_tasks_flow_args_v1(fan.args, e.value -> 'args') END,
                       CASE WHEN fan.over ? '$ref' THEN fan.lock ELSE e.value ->> 'lock' END,
                       fan.id, e.n - 1, nextval('procrastinate_jobs_id_seq'), clock_timestamp()
                  FROM element e
                RETURNING id, workflow_id, task_name, queue_name, priority, args, lock, job_id, tenant_id
            )
            INSERT INTO procrastinate_jobs (id, queue_name, task_name, priority, lock, args, scheduled_at, tenant_id, noted, step_id)
            SELECT i.job_id, i.queue_name, i.task_name, i.priority, i.lock,
                   i.args || jsonb_build_object('$flow', jsonb_build_array(i.id, i.workflow_id, CASE WHEN fan.refs IS NOT NULL THEN fan.id END)),
                   fan.run_after, i.tenant_id, w.noted, i.id
              FROM item i JOIN youtility_tasks_taskworkflow w ON w.id = i.workflow_id;
            GET DIAGNOSTICS made = ROW_COUNT;
            UPDATE youtility_tasks_workflowstep s
               SET open_items = made, failed_items = 0, result = jsonb_build_object('items', made, 'failed', 0),
                   status = CASE WHEN made = 0 THEN 'succeeded' ELSE s.status END, ended_at = CASE WHEN made = 0 THEN clock_timestamp() END
             WHERE s.id = fan.id;
            UPDATE youtility_tasks_taskworkflow w SET open_count = w.open_count + made WHERE w.id = fan.workflow_id AND made > 0;
            IF made = 0 THEN
                ended := ended || fan.id;
            END IF;
        END LOOP;

        WITH released AS (
            UPDATE youtility_tasks_workflowstep s SET status = 'todo', released_at = clock_timestamp()
             WHERE s.id = ANY (turn) AND s.status = 'blocked' AND s.kind = 'sub' RETURNING s.id
        ), begun AS (
            UPDATE youtility_tasks_taskworkflow w
               SET status = 'running', started_at = clock_timestamp(), deadline_at = clock_timestamp() + w.deadline_s * interval '1 second'
              FROM released r WHERE w.parent_step_id = r.id AND w.status = 'blocked' RETURNING w.id
        )
        SELECT array_agg(s.id) INTO inner_steps FROM begun b JOIN youtility_tasks_workflowstep s ON s.workflow_id = b.id
         WHERE s.edge_count = 0 AND s.status = 'blocked';
        turn := coalesce(inner_steps, '{}');
    END LOOP;
    RETURN ended;
END $$;

-- Arguments and some more, by name; of a verbatim task beneath "kwargs".
CREATE FUNCTION youtility_tasks_flow_args_v1(p_args jsonb, p_more jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN p_args ? '$verbatim' THEN jsonb_build_object('args', p_args -> 'args', 'kwargs', (p_args -> 'kwargs') || p_more)
                ELSE p_args || p_more END
$$;

-- What a step's reference stands for, or its default; NULL for nothing. Only what SQL needs: lists of fan-outs, and conditions.
CREATE FUNCTION youtility_tasks_flow_value_v1(p_step bigint, p_reference jsonb) RETURNS jsonb LANGUAGE plpgsql STABLE
AS $$
DECLARE
    step youtility_tasks_workflowstep;
    value jsonb;
    way CONSTANT text[] := ARRAY(SELECT e FROM jsonb_array_elements_text(p_reference -> 'path') e);
BEGIN
    SELECT * INTO step FROM youtility_tasks_workflowstep s WHERE s.id = p_step;
    IF p_reference ->> '$ref' = 'context' THEN
        SELECT r.context #> way INTO value FROM youtility_tasks_taskworkflow w JOIN youtility_tasks_taskworkflow r ON r.id = w.root_id
         WHERE w.id = step.workflow_id;
    ELSE
        SELECT CASE p_reference ->> '$ref'
                    WHEN 'status' THEN to_jsonb(s.status)
                    WHEN 'result' THEN CASE WHEN s.status = 'succeeded' THEN coalesce(s.result, 'null') #> way END
                    WHEN 'results' THEN (SELECT coalesce(jsonb_agg(i.result ORDER BY i.item_index), '[]')
                                           FROM youtility_tasks_workflowstep i WHERE i.group_id = s.id) #> way END
          INTO value
          FROM youtility_tasks_workflowstep s
         WHERE s.tenant_id = step.tenant_id AND s.workflow_id = step.workflow_id AND s.name = p_reference ->> 'step' AND s.group_id IS NULL;
    END IF;
    RETURN coalesce(value, p_reference -> 'default');
END $$;

-- Steps that are never to run: a sub-workflow's with all in it.
CREATE FUNCTION youtility_tasks_flow_skip_v1(p_steps bigint[]) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE youtility_tasks_workflowstep s SET status = 'skipped', ended_at = clock_timestamp() WHERE s.id = ANY (p_steps);
    PERFORM youtility_tasks_flow_skip_inside_v1(p_steps);
END $$;

-- What is inside of steps that will not begin.
CREATE FUNCTION youtility_tasks_flow_skip_inside_v1(p_steps bigint[]) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    inner_flows CONSTANT bigint[] := youtility_tasks_flow_tree_v1(
        ARRAY(SELECT w.id FROM youtility_tasks_taskworkflow w WHERE w.parent_step_id = ANY (p_steps)));
BEGIN
    IF inner_flows <> '{}' THEN
        UPDATE youtility_tasks_taskworkflow w SET status = 'skipped', ended_at = clock_timestamp()
         WHERE w.id = ANY (inner_flows) AND w.status = 'blocked';
        UPDATE youtility_tasks_workflowstep s SET status = 'skipped', ended_at = clock_timestamp()
         WHERE s.workflow_id = ANY (inner_flows) AND s.status = 'blocked';
    END IF;
END $$;

-- Carry on what these steps have just ended: count them, release or skip what waited for them, end what they were the last of.
-- Each ended step comes here once, under the lock of its outermost run, in the transaction that ended it.
CREATE FUNCTION youtility_tasks_flow_advance_v1(p_ended bigint[]) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    ended bigint[] := p_ended;
    next_ended bigint[];
    ready bigint[];
    dead bigint[];
BEGIN
    WHILE cardinality(ended) > 0 LOOP
        next_ended := '{}';
        WITH told AS (
            SELECT d.child_id, count(*) AS n,
                   count(*) FILTER (WHERE d.kind = 'completion' OR (d.kind = 'success' AND s.status = 'succeeded')
                                       OR (d.kind = 'failure' AND s.status IN ('failed', 'aborted', 'cancelled'))) AS met
              FROM youtility_tasks_workflowstep s
              JOIN youtility_tasks_taskdependency d
                ON d.tenant_id = s.tenant_id AND d.workflow_id = s.workflow_id AND d.parent_id = s.id
             WHERE s.id = ANY (ended) GROUP BY d.child_id
        ), counted AS (
            UPDATE youtility_tasks_workflowstep c SET pending = c.pending - t.n, met = c.met + t.met
              FROM told t WHERE c.id = t.child_id AND c.status = 'blocked'
            RETURNING c.id, c.pending, CASE WHEN c.needs_all THEN c.met = c.edge_count ELSE c.met > 0 END AS is_ready
        )
        SELECT array_agg(c.id) FILTER (WHERE c.is_ready), array_agg(c.id) FILTER (WHERE NOT c.is_ready AND c.pending = 0)
          INTO ready, dead FROM counted c;

        WITH items AS (
            SELECT s.group_id, count(*) AS n, count(*) FILTER (WHERE s.status <> 'succeeded') AS failed
              FROM youtility_tasks_workflowstep s WHERE s.id = ANY (ended) AND s.group_id IS NOT NULL GROUP BY s.group_id
        ), counted AS (
            UPDATE youtility_tasks_workflowstep g
               SET open_items = g.open_items - i.n, failed_items = g.failed_items + i.failed,
                   status = CASE WHEN g.open_items > i.n THEN g.status WHEN g.failed_items + i.failed = 0 THEN 'succeeded' ELSE 'failed' END,
                   ended_at = CASE WHEN g.open_items = i.n THEN clock_timestamp() END,
                   result = g.result || jsonb_build_object('failed', g.failed_items + i.failed),
                   error_message = CASE WHEN g.open_items = i.n AND g.failed_items + i.failed > 0
                                        THEN (g.failed_items + i.failed) || ' of ' || (g.result ->> 'items') || ' items did not succeed.' ELSE '' END
              FROM items i WHERE g.id = i.group_id AND g.status = 'todo' RETURNING g.id, g.open_items
        )
        SELECT next_ended || coalesce(array_agg(c.id) FILTER (WHERE c.open_items = 0), '{}') INTO next_ended FROM counted c;

        -- A step that is ready or dead is not counted off yet, so no run ends before its last step.
        WITH ends AS (
            SELECT s.workflow_id, count(*) AS n, count(*) FILTER (WHERE s.status IN ('failed', 'aborted', 'cancelled')) AS failed
              FROM youtility_tasks_workflowstep s WHERE s.id = ANY (ended) GROUP BY s.workflow_id
        ), counted AS (
            UPDATE youtility_tasks_taskworkflow w
               SET open_count = w.open_count - e.n, failed_count = w.failed_count + e.failed,
                   status = CASE WHEN w.open_count > e.n THEN w.status
                                 WHEN w.cancelled_at IS NOT NULL AND NOT w.is_overdue THEN 'cancelled'
                                 WHEN w.failed_count + e.failed > 0 OR w.is_overdue THEN 'failed' ELSE 'succeeded' END,
                   ended_at = CASE WHEN w.open_count = e.n THEN clock_timestamp() END
              FROM ends e WHERE w.id = e.workflow_id AND w.status = 'running'
            RETURNING w.id, w.tenant_id, w.parent_step_id, w.status, w.returns, w.reason
        ), outer_steps AS (
            UPDATE youtility_tasks_workflowstep s
               SET status = c.status, ended_at = clock_timestamp(),
                   result = CASE WHEN c.returns <> '' THEN (
                       SELECT i.result FROM youtility_tasks_workflowstep i
                        WHERE i.tenant_id = c.tenant_id AND i.workflow_id = c.id AND i.name = c.returns AND i.group_id IS NULL) END,
                   error_message = CASE WHEN c.status = 'succeeded' THEN '' ELSE 'Workflow ' || c.id || ' ' || CASE c.status WHEN 'cancelled' THEN 'was cancelled' ELSE 'failed' END || '.' END
              FROM counted c WHERE c.status <> 'running' AND s.id = c.parent_step_id AND s.status = 'todo' RETURNING s.id
        )
        SELECT next_ended || coalesce(array_agg(o.id), '{}') INTO next_ended FROM outer_steps o;

        IF dead IS NOT NULL THEN
            PERFORM youtility_tasks_flow_skip_v1(dead);
            next_ended := next_ended || dead;
        END IF;
        IF ready IS NOT NULL THEN
            next_ended := next_ended || youtility_tasks_flow_release_v1(ready);
        END IF;
        ended := next_ended;
    END LOOP;
END $$;

-- End the steps whose jobs these are, if the jobs have ended. How, says the job's row if it is still there, else its last attempt; one
-- that vanished without any (a stock worker with `delete_jobs`, somebody's DELETE) counts as cancelled, as nobody knows that it
-- succeeded. Attempts are looked for since p_since: the history has a partition a day. Returns how many steps it ended.
CREATE FUNCTION youtility_tasks_flow_jobs_ended_v1(p_jobs bigint[], p_since timestamptz) RETURNS integer LANGUAGE plpgsql
AS $$
DECLARE
    roots CONSTANT bigint[] := ARRAY(
        SELECT DISTINCT w.root_id FROM youtility_tasks_workflowstep s JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
         WHERE s.job_id = ANY (p_jobs) AND s.status = 'todo');
    ended bigint[];
BEGIN
    IF roots = '{}' THEN
        RETURN 0;
    END IF;
    PERFORM youtility_tasks_flow_lock_v1(roots);
    WITH gone AS MATERIALIZED (
        SELECT s.id, coalesce(j.status::text, h.status, 'cancelled') AS status, h.result, h.error_class, h.error_message
          FROM youtility_tasks_workflowstep s
          LEFT JOIN procrastinate_jobs j ON j.id = s.job_id
          LEFT JOIN LATERAL (
            SELECT a.status, a.result, a.error_class, a.error_message FROM youtility_tasks_history a
             WHERE a.job_id = s.job_id AND a.is_final AND a.finished_at >= p_since ORDER BY a.claim_number DESC, a.finished_at DESC LIMIT 1) h ON true
         WHERE s.job_id = ANY (p_jobs) AND s.status = 'todo' AND (j.id IS NULL OR j.status NOT IN ('todo', 'doing'))
    ), told AS (
        UPDATE youtility_tasks_workflowstep s
           SET status = g.status, ended_at = clock_timestamp(), result = CASE WHEN g.status = 'succeeded' THEN g.result END,
               error_class = coalesce(g.error_class, ''), error_message = coalesce(g.error_message, '')
          FROM gone g WHERE s.id = g.id RETURNING s.id
    )
    SELECT coalesce(array_agg(t.id), '{}') INTO ended FROM told t;
    PERFORM youtility_tasks_flow_advance_v1(ended);
    RETURN cardinality(ended);
END $$;

-- The jobs of steps that a statement ends are noted one by one, and carried on together once the statement is over. A job without a
-- step pays for two looks at a column. (Transition tables would copy every job of every claim and finish.)
CREATE FUNCTION youtility_tasks_note_step_v1() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM set_config('youtility_tasks.ended_jobs', coalesce(nullif(current_setting('youtility_tasks.ended_jobs', true), '') || ',', '') || OLD.id, true);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION youtility_tasks_steps_ended_v1() RETURNS trigger LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    noted CONSTANT text := current_setting('youtility_tasks.ended_jobs', true);
BEGIN
    IF noted <> '' THEN
        PERFORM set_config('youtility_tasks.ended_jobs', '', true);
        -- since the beginning of this transaction: the attempt that ended the job was written by its very statement
        PERFORM youtility_tasks_flow_jobs_ended_v1(string_to_array(noted, ',')::bigint[], now());
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER youtility_tasks_note_step_gone BEFORE DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.step_id IS NOT NULL AND OLD.status IN ('todo', 'doing')) EXECUTE FUNCTION youtility_tasks_note_step_v1();
CREATE TRIGGER youtility_tasks_note_step_ended BEFORE UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.step_id IS NOT NULL AND OLD.status IN ('todo', 'doing') AND NEW.status NOT IN ('todo', 'doing'))
    EXECUTE FUNCTION youtility_tasks_note_step_v1();
CREATE TRIGGER youtility_tasks_step_gone AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.step_id IS NOT NULL AND OLD.status IN ('todo', 'doing')) EXECUTE FUNCTION youtility_tasks_steps_ended_v1();
CREATE TRIGGER youtility_tasks_step_ended AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.step_id IS NOT NULL AND OLD.status IN ('todo', 'doing') AND NEW.status NOT IN ('todo', 'doing'))
    EXECUTE FUNCTION youtility_tasks_steps_ended_v1();

-- Bring a tree of runs in line with what its steps say: counts, what is ready, what can never be. Under its lock; O(steps).
CREATE FUNCTION youtility_tasks_flow_settle_v1(p_root bigint) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    ready bigint[];
    dead bigint[];
    ended bigint[];
BEGIN
    UPDATE youtility_tasks_workflowstep c
       SET pending = n.pending, met = n.met
      FROM (SELECT b.id, count(*) FILTER (WHERE s.status IN ('blocked', 'todo')) AS pending,
                   count(*) FILTER (WHERE (d.kind = 'completion' AND s.status NOT IN ('blocked', 'todo')) OR (d.kind = 'success' AND s.status = 'succeeded')
                                       OR (d.kind = 'failure' AND s.status IN ('failed', 'aborted', 'cancelled'))) AS met
              FROM youtility_tasks_taskworkflow w
              JOIN youtility_tasks_workflowstep b ON b.workflow_id = w.id AND b.tenant_id = w.tenant_id AND b.status = 'blocked'
              JOIN youtility_tasks_taskdependency d ON d.tenant_id = b.tenant_id AND d.workflow_id = b.workflow_id AND d.child_id = b.id
              JOIN youtility_tasks_workflowstep s ON s.id = d.parent_id
             WHERE w.root_id = p_root GROUP BY b.id) n
     WHERE c.id = n.id AND (c.pending <> n.pending OR c.met <> n.met);
    UPDATE youtility_tasks_workflowstep g
       SET open_items = n.opened, failed_items = n.failed, result = jsonb_build_object('items', n.n, 'failed', n.failed)
      FROM (SELECT i.group_id, count(*) AS n, count(*) FILTER (WHERE i.status IN ('blocked', 'todo')) AS opened,
                   count(*) FILTER (WHERE i.status NOT IN ('blocked', 'todo', 'succeeded')) AS failed
              FROM youtility_tasks_taskworkflow w
              JOIN youtility_tasks_workflowstep i ON i.workflow_id = w.id AND i.tenant_id = w.tenant_id AND i.kind = 'item'
             WHERE w.root_id = p_root GROUP BY i.group_id) n
     WHERE g.id = n.group_id AND g.status = 'todo';
    UPDATE youtility_tasks_taskworkflow w
       SET open_count = n.opened, failed_count = n.failed
      FROM (SELECT s.workflow_id, count(*) FILTER (WHERE s.status IN ('blocked', 'todo')) AS opened,
                   count(*) FILTER (WHERE s.status IN ('failed', 'aborted', 'cancelled')) AS failed
              FROM youtility_tasks_taskworkflow v JOIN youtility_tasks_workflowstep s ON s.workflow_id = v.id AND s.tenant_id = v.tenant_id
             WHERE v.root_id = p_root GROUP BY s.workflow_id) n
     WHERE w.id = n.workflow_id AND (w.open_count <> n.opened OR w.failed_count <> n.failed);

    SELECT array_agg(s.id) FILTER (WHERE s.kind = 'item' OR CASE WHEN s.needs_all OR s.edge_count = 0 THEN s.met = s.edge_count ELSE s.met > 0 END),
           array_agg(s.id) FILTER (WHERE s.kind <> 'item' AND s.pending = 0 AND NOT CASE WHEN s.needs_all OR s.edge_count = 0 THEN s.met = s.edge_count ELSE s.met > 0 END)
      INTO ready, dead
      FROM youtility_tasks_taskworkflow w
      JOIN youtility_tasks_workflowstep s ON s.workflow_id = w.id AND s.tenant_id = w.tenant_id AND s.status = 'blocked'
     WHERE w.root_id = p_root AND w.status = 'running';
    -- what ended and was not counted: a fan-out with no item left, a sub-workflow that is over
    WITH done AS (
        UPDATE youtility_tasks_workflowstep g
           SET status = CASE WHEN g.failed_items = 0 THEN 'succeeded' ELSE 'failed' END, ended_at = clock_timestamp()
          FROM youtility_tasks_taskworkflow w
         WHERE w.root_id = p_root AND g.workflow_id = w.id AND g.tenant_id = w.tenant_id AND g.kind = 'fan_out' AND g.status = 'todo'
           AND g.open_items = 0 RETURNING g.id
    ), inner_over AS (
        UPDATE youtility_tasks_workflowstep s SET status = i.status, ended_at = clock_timestamp()
          FROM youtility_tasks_taskworkflow i
         WHERE i.root_id = p_root AND i.parent_step_id = s.id AND s.status = 'todo' AND i.status IN ('succeeded', 'failed', 'cancelled')
        RETURNING s.id
    )
    SELECT coalesce(array_agg(x.id), '{}') INTO ended FROM (SELECT d.id FROM done d UNION ALL SELECT o.id FROM inner_over o) x;
    IF dead IS NOT NULL THEN
        PERFORM youtility_tasks_flow_skip_v1(dead);
        ended := ended || dead;
    END IF;
    IF ready IS NOT NULL THEN
        ended := ended || youtility_tasks_flow_release_v1(ready);
    END IF;
    PERFORM youtility_tasks_flow_advance_v1(ended);
END $$;

-- A dead letter that is a step's job gets new attempts: the step is open again, and what was skipped for it is decided anew. Steps
-- that ran since then stay as they are.
CREATE FUNCTION youtility_tasks_step_retried_v1() RETURNS trigger LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
    root bigint;
    step youtility_tasks_workflowstep;
    above bigint[];
    outer_steps bigint[];
BEGIN
    SELECT w.root_id INTO root FROM youtility_tasks_workflowstep s JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
     WHERE s.id = OLD.step_id AND s.tenant_id = OLD.tenant_id;
    IF root IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM youtility_tasks_flow_lock_v1(ARRAY[root]);
    SELECT s.* INTO step FROM youtility_tasks_workflowstep s JOIN youtility_tasks_taskworkflow r ON r.id = root
     WHERE s.id = OLD.step_id AND s.job_id = OLD.id AND s.status = 'failed' AND r.cancelled_at IS NULL;
    IF step.id IS NULL THEN
        RETURN NULL;
    END IF;
    WITH RECURSIVE up (flow, step) AS (
        SELECT w.id, w.parent_step_id FROM youtility_tasks_taskworkflow w WHERE w.id = step.workflow_id
        UNION
        SELECT w.id, w.parent_step_id FROM up u JOIN youtility_tasks_workflowstep s ON s.id = u.step JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
    )
    SELECT array_agg(u.flow), array_agg(u.step) FILTER (WHERE u.step IS NOT NULL) INTO above, outer_steps FROM up u;
    UPDATE youtility_tasks_taskworkflow w SET status = 'running', ended_at = NULL WHERE w.id = ANY (above);
    UPDATE youtility_tasks_workflowstep s SET status = 'todo', ended_at = NULL, error_class = '', error_message = ''
     WHERE s.id = step.id OR s.id = step.group_id OR s.id = ANY (outer_steps);
    PERFORM youtility_tasks_flow_unskip_v1(root);
    PERFORM youtility_tasks_flow_settle_v1(root);
    RETURN NULL;
END $$;
CREATE TRIGGER youtility_tasks_step_retried AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (OLD.step_id IS NOT NULL AND OLD.status = 'failed' AND NEW.status = 'todo') EXECUTE FUNCTION youtility_tasks_step_retried_v1();

-- What was skipped waits again; `youtility_tasks_flow_settle_v1` decides anew.
CREATE FUNCTION youtility_tasks_flow_unskip_v1(p_root bigint) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE youtility_tasks_taskworkflow w SET status = 'blocked', ended_at = NULL WHERE w.root_id = p_root AND w.status = 'skipped';
    UPDATE youtility_tasks_workflowstep s SET status = 'blocked', ended_at = NULL
      FROM youtility_tasks_taskworkflow w WHERE w.root_id = p_root AND s.workflow_id = w.id AND s.tenant_id = w.tenant_id AND s.status = 'skipped';
END $$;

-- Write a run with its steps and edges, and release the first of them. p_flow: {runs: [{name, returns, deadline_s, template_name,
-- template_version, parent: [run, step] or none}], context, steps: [{run, name, kind, ...}], edges: [{run, parent, child, kind}]};
-- runs are numbered from 0, the outermost first.
-- With a key there is one run of that name and key: a second start finds it and writes nothing.
CREATE FUNCTION youtility_tasks_flow_start_v1(p_flow jsonb, p_tenant_id integer, p_noted boolean,
    OUT workflow_id bigint, OUT is_new boolean, OUT tenant_is_known boolean) LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
    run jsonb;
    ids bigint[] := '{}';
    first_steps bigint[];
BEGIN
    is_new := true;
    tenant_is_known := theirs = 0 OR EXISTS (SELECT FROM youtility_tasks_tenant t WHERE t.id = theirs AND t.is_active);
    IF tenant_is_known IS NOT TRUE THEN
        tenant_is_known := false;
        RETURN;
    END IF;
    FOR run IN SELECT r.value FROM jsonb_array_elements(p_flow -> 'runs') WITH ORDINALITY AS r(value, n) ORDER BY r.n LOOP
        ids := ids || nextval(pg_get_serial_sequence('youtility_tasks_taskworkflow', 'id'));
        INSERT INTO youtility_tasks_taskworkflow (
            id, tenant_id, root_id, name, key, template_name, template_version, status, context, returns, deadline_s, noted, started_at, deadline_at,
            open_count)
        SELECT ids[cardinality(ids)], theirs, ids[1], run ->> 'name', CASE WHEN cardinality(ids) = 1 THEN p_flow ->> 'key' END, coalesce(run ->> 'template_name', ''), (run ->> 'template_version')::integer,
               CASE WHEN cardinality(ids) = 1 THEN 'running' ELSE 'blocked' END,
               CASE WHEN cardinality(ids) = 1 THEN p_flow -> 'context' ELSE '{}' END, coalesce(run ->> 'returns', ''),
               (run ->> 'deadline_s')::float8, p_noted, CASE WHEN cardinality(ids) = 1 THEN clock_timestamp() END,
               CASE WHEN cardinality(ids) = 1 THEN clock_timestamp() + (run ->> 'deadline_s')::float8 * interval '1 second' END,
               (run ->> 'step_count')::integer
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            is_new := false;
            SELECT w.id INTO workflow_id FROM youtility_tasks_taskworkflow w
             WHERE w.tenant_id = theirs AND w.name = run ->> 'name' AND w.key = p_flow ->> 'key';
            RETURN;
        END IF;
    END LOOP;
    INSERT INTO youtility_tasks_workflowstep (
        tenant_id, workflow_id, name, kind, status, needs_all, edge_count, pending, task_name, queue_name, priority, args, refs, lock, wait_s,
        run_after, over, item, timeout_s, only_if)
    SELECT theirs, ids[s.run + 1], s.name, s.kind, 'blocked', s.needs_all, s.edge_count, s.edge_count, coalesce(s.task_name, ''),
           coalesce(s.queue_name, ''), coalesce(s.priority, 0), s.args, s.refs, s.lock, s.wait_s, s.run_after, s.over, coalesce(s.item, ''),
           s.timeout_s, s.only_if
      FROM jsonb_to_recordset(p_flow -> 'steps') AS s(
               run integer, name text, kind text, needs_all boolean, edge_count integer, task_name text, queue_name text, priority integer,
               args jsonb, refs jsonb, lock text, wait_s float8, run_after timestamptz, over jsonb, item text, timeout_s float8, only_if jsonb);
    INSERT INTO youtility_tasks_taskdependency (tenant_id, workflow_id, parent_id, child_id, kind)
    SELECT theirs, ids[e.run + 1], p.id, c.id, e.kind
      FROM jsonb_to_recordset(p_flow -> 'edges') AS e(run integer, parent text, child text, kind text)
      JOIN youtility_tasks_workflowstep p ON p.tenant_id = theirs AND p.workflow_id = ids[e.run + 1] AND p.name = e.parent
      JOIN youtility_tasks_workflowstep c ON c.tenant_id = theirs AND c.workflow_id = ids[e.run + 1] AND c.name = e.child;
    UPDATE youtility_tasks_taskworkflow w SET parent_step_id = s.id
      FROM jsonb_array_elements(p_flow -> 'runs') WITH ORDINALITY AS r(value, n)
      JOIN youtility_tasks_workflowstep s
        ON s.tenant_id = theirs AND s.workflow_id = ids[(r.value #>> '{parent,0}')::integer + 1] AND s.name = r.value #>> '{parent,1}'
     WHERE w.id = ids[r.n];
    workflow_id := ids[1];
    first_steps := ARRAY(SELECT s.id FROM youtility_tasks_workflowstep s
                          WHERE s.tenant_id = theirs AND s.workflow_id = ids[1] AND s.edge_count = 0 ORDER BY s.id);
    PERFORM youtility_tasks_flow_advance_v1(youtility_tasks_flow_release_v1(first_steps));
END $$;

-- Keep a signal for a run, or for one inside it; it is carried on as the transaction commits, so that no caller holds a run for
-- longer than its commit. The answer: sent, repeated, unknown (no step of that name waits for one), ended, or nothing without the run.
CREATE FUNCTION youtility_tasks_flow_signal_v1(p_flow bigint, p_name text, p_payload jsonb, p_sent_by text, p_tenant_id integer)
RETURNS text LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
    flow youtility_tasks_taskworkflow;
    step youtility_tasks_workflowstep;
BEGIN
    SELECT * INTO flow FROM youtility_tasks_taskworkflow w WHERE w.id = p_flow AND (theirs IS NULL OR w.tenant_id = theirs);
    IF flow.id IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT s.* INTO step FROM youtility_tasks_workflowstep s
     WHERE s.tenant_id = flow.tenant_id AND s.workflow_id = ANY (youtility_tasks_flow_tree_v1(ARRAY[p_flow])) AND s.name = p_name AND s.kind = 'signal'
     ORDER BY s.status NOT IN ('todo', 'blocked'), s.id LIMIT 1;
    IF step.id IS NULL THEN
        RETURN 'unknown';
    ELSIF EXISTS (SELECT FROM youtility_tasks_workflowsignal g
                   WHERE g.tenant_id = step.tenant_id AND g.workflow_id = step.workflow_id AND g.name = p_name) THEN
        RETURN 'repeated';
    ELSIF step.status NOT IN ('todo', 'blocked') THEN
        RETURN 'ended';
    END IF;
    INSERT INTO youtility_tasks_workflowsignal (tenant_id, workflow_id, name, payload, sent_by)
    VALUES (step.tenant_id, step.workflow_id, p_name, p_payload, left(p_sent_by, 200)) ON CONFLICT DO NOTHING;
    RETURN CASE WHEN FOUND THEN 'sent' ELSE 'repeated' END;
END $$;
CREATE FUNCTION youtility_tasks_signal_sent_v1() RETURNS trigger LANGUAGE plpgsql
SET jit = off
AS $$
DECLARE
    ended bigint[];
BEGIN
    PERFORM youtility_tasks_flow_lock_v1(ARRAY(SELECT w.root_id FROM youtility_tasks_taskworkflow w WHERE w.id = NEW.workflow_id));
    WITH come AS (
        UPDATE youtility_tasks_workflowstep s SET status = 'succeeded', ended_at = clock_timestamp(), result = NEW.payload, timeout_at = NULL
         WHERE s.tenant_id = NEW.tenant_id AND s.workflow_id = NEW.workflow_id AND s.name = NEW.name AND s.kind = 'signal' AND s.status = 'todo'
        RETURNING s.id)
    SELECT coalesce(array_agg(c.id), '{}') INTO ended FROM come c;
    PERFORM youtility_tasks_flow_advance_v1(ended);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER youtility_tasks_signal_sent AFTER INSERT ON youtility_tasks_workflowsignal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION youtility_tasks_signal_sent_v1();

-- Let nothing more of a run begin: what is blocked or waits for a signal is cancelled, waiting jobs leave the queue, running ones are
-- asked to end. The run ends with the last of them. Jobs that somebody else has a hold of are left (`missed`) for the next call:
-- who holds the run must not wait for a job.
CREATE FUNCTION youtility_tasks_flow_stop_v1(p_flow bigint, p_reason text, p_is_overdue boolean,
    OUT cancelled integer, OUT aborting integer, OUT missed integer) LANGUAGE plpgsql
AS $$
DECLARE
    tree bigint[];
    ended bigint[];
    jobs bigint[];
    gone integer;
BEGIN
    tree := youtility_tasks_flow_tree_v1(ARRAY[p_flow]);
    UPDATE youtility_tasks_taskworkflow w
       SET cancelled_at = coalesce(w.cancelled_at, clock_timestamp()), reason = CASE WHEN w.cancelled_at IS NULL THEN p_reason ELSE w.reason END,
           is_overdue = CASE WHEN w.cancelled_at IS NULL THEN p_is_overdue AND w.id = p_flow ELSE w.is_overdue END
     WHERE w.id = ANY (tree) AND w.status = 'running';
    UPDATE youtility_tasks_taskworkflow w SET status = 'cancelled', ended_at = clock_timestamp(), reason = p_reason
     WHERE w.id = ANY (tree) AND w.status = 'blocked';
    WITH stopped AS (
        UPDATE youtility_tasks_workflowstep s SET status = 'cancelled', ended_at = clock_timestamp(), error_message = p_reason
         WHERE s.workflow_id = ANY (tree) AND (s.status = 'blocked' OR (s.status = 'todo' AND s.kind = 'signal')) RETURNING s.id)
    SELECT coalesce(array_agg(o.id), '{}') INTO ended FROM stopped o;
    cancelled := cardinality(ended);
    PERFORM youtility_tasks_flow_advance_v1(ended);
    LOOP
        jobs := ARRAY(SELECT s.job_id FROM youtility_tasks_workflowstep s
                       WHERE s.workflow_id = ANY (tree) AND s.status = 'todo' AND s.job_id IS NOT NULL);
        WITH chosen AS MATERIALIZED (
            SELECT j.id FROM procrastinate_jobs j WHERE j.id = ANY (jobs) AND j.status = 'todo' LIMIT 1000 FOR UPDATE SKIP LOCKED
        ), deleted AS (
            DELETE FROM procrastinate_jobs j WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c)) RETURNING j.*
        ), recorded AS (
            INSERT INTO youtility_tasks_history (
                job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, scheduled_at, finished_at,
                status, outcome, is_final, args, error_message)
            SELECT d.id, d.task_name, d.queue_name, d.tenant_id, greatest(-32768, least(32767, 11 - d.priority::bigint)), d.attempts + 1,
                   d.claim_number, d.enqueued_at, d.scheduled_at, clock_timestamp(), 'cancelled', 'cancelled', true, d.args, p_reason
              FROM deleted d)
        SELECT count(*) INTO gone FROM deleted;
        cancelled := cancelled + gone;
        EXIT WHEN gone < 1000;
    END LOOP;
    WITH chosen AS MATERIALIZED (
        SELECT j.id, j.abort_requested FROM procrastinate_jobs j WHERE j.id = ANY (jobs) AND j.status = 'doing' FOR UPDATE SKIP LOCKED
    ), told AS (
        UPDATE procrastinate_jobs j SET abort_requested = true
         WHERE j.id = ANY (ARRAY(SELECT c.id FROM chosen c WHERE NOT c.abort_requested)))
    SELECT count(*) INTO aborting FROM chosen;
    missed := (SELECT count(*) FROM youtility_tasks_workflowstep s
                WHERE s.workflow_id = ANY (tree) AND s.status = 'todo' AND s.job_id IS NOT NULL) - aborting;
END $$;

-- `youtility_tasks_flow_stop_v1` for whoever may: the answer is empty where there is no such run.
CREATE FUNCTION youtility_tasks_flow_cancel_v1(p_flow bigint, p_reason text, p_tenant_id integer)
RETURNS TABLE (status text, cancelled integer, aborting integer, missed integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
    flow youtility_tasks_taskworkflow;
BEGIN
    SELECT * INTO flow FROM youtility_tasks_taskworkflow w WHERE w.id = p_flow AND (theirs IS NULL OR w.tenant_id = theirs);
    IF flow.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM youtility_tasks_flow_lock_v1(ARRAY[flow.root_id]);
    SELECT * INTO flow FROM youtility_tasks_taskworkflow w WHERE w.id = p_flow;
    IF flow.status <> 'running' THEN
        RETURN QUERY SELECT flow.status::text, NULL::integer, NULL::integer, NULL::integer;
        RETURN;
    END IF;
    RETURN QUERY SELECT flow.status::text, s.cancelled, s.aborting, s.missed FROM youtility_tasks_flow_stop_v1(p_flow, p_reason, false) s;
END $$;

-- Run again what did not succeed of an outermost run that has ended, or all of it; how many steps wait or run by it.
--   failed             what failed, was aborted or cancelled; what was skipped is decided anew; what ran stays
--   failed_downstream  the same, and all that comes after it, also what has run since
--   all                everything
CREATE FUNCTION youtility_tasks_flow_retry_v1(p_flow bigint, p_mode text, p_tenant_id integer)
RETURNS TABLE (status text, again integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    theirs CONSTANT integer := youtility_tasks_scope_v1(p_tenant_id);
    flow youtility_tasks_taskworkflow;
    tree bigint[];
    failed bigint[];
    whole bigint[];
    inner_flows bigint[];
BEGIN
    SELECT * INTO flow FROM youtility_tasks_taskworkflow w
     WHERE w.id = p_flow AND w.parent_step_id IS NULL AND (theirs IS NULL OR w.tenant_id = theirs);
    IF flow.id IS NULL THEN
        RETURN;
    END IF;
    -- Dead letters first, then the run: the order of whoever retries or discards one of them.
    PERFORM FROM procrastinate_jobs j
      WHERE j.id = ANY (ARRAY(SELECT s.job_id FROM youtility_tasks_taskworkflow w JOIN youtility_tasks_workflowstep s ON s.workflow_id = w.id
                               WHERE w.root_id = p_flow AND s.status = 'failed' AND s.job_id IS NOT NULL)) ORDER BY j.id FOR UPDATE;
    PERFORM youtility_tasks_flow_lock_v1(ARRAY[p_flow]);
    SELECT * INTO flow FROM youtility_tasks_taskworkflow w WHERE w.id = p_flow;
    IF flow.status NOT IN ('succeeded', 'failed', 'cancelled') OR (p_mode <> 'all' AND flow.status = 'succeeded') THEN
        RETURN QUERY SELECT flow.status::text, NULL::integer;
        RETURN;
    END IF;
    tree := youtility_tasks_flow_tree_v1(ARRAY[p_flow]);
    failed := ARRAY(SELECT s.id FROM youtility_tasks_workflowstep s
                     WHERE s.workflow_id = ANY (tree) AND s.status IN ('failed', 'aborted', 'cancelled'));
    -- whole: steps that begin from nothing. A fan-out with items, or a sub-workflow that began, is opened instead.
    IF p_mode = 'all' THEN
        whole := ARRAY(SELECT s.id FROM youtility_tasks_workflowstep s WHERE s.workflow_id = ANY (tree) AND s.kind <> 'item');
    ELSE
        whole := ARRAY(
            SELECT s.id FROM youtility_tasks_workflowstep s
             WHERE s.id = ANY (failed) AND (s.kind IN ('task', 'signal') OR (s.kind = 'fan_out' AND s.open_items IS NULL)
                   OR (s.kind = 'sub' AND EXISTS (SELECT FROM youtility_tasks_taskworkflow w WHERE w.parent_step_id = s.id AND w.started_at IS NULL))));
        IF p_mode = 'failed_downstream' THEN
            WITH RECURSIVE after (id) AS (
                SELECT d.child_id FROM youtility_tasks_workflowstep s
                  JOIN youtility_tasks_taskdependency d ON d.tenant_id = s.tenant_id AND d.workflow_id = s.workflow_id AND d.parent_id = s.id
                 WHERE s.id = ANY (failed)
                UNION
                SELECT d.child_id FROM after a JOIN youtility_tasks_workflowstep s ON s.id = a.id
                  JOIN youtility_tasks_taskdependency d ON d.tenant_id = s.tenant_id AND d.workflow_id = s.workflow_id AND d.parent_id = s.id
            )
            SELECT whole || coalesce(array_agg(a.id), '{}') INTO whole FROM after a;
        END IF;
    END IF;
    inner_flows := youtility_tasks_flow_tree_v1(ARRAY(SELECT w.id FROM youtility_tasks_taskworkflow w WHERE w.parent_step_id = ANY (whole)));
    whole := ARRAY(SELECT w FROM unnest(whole) w
                   UNION SELECT s.id FROM youtility_tasks_workflowstep s WHERE s.workflow_id = ANY (inner_flows) AND s.kind <> 'item');
    again := (SELECT count(*) FROM unnest(whole)) + (SELECT count(*) FROM youtility_tasks_workflowstep s WHERE s.id = ANY (failed) AND s.kind = 'item'
                                                       AND s.group_id <> ALL (whole));

    DELETE FROM procrastinate_jobs j
     WHERE j.status = 'failed' AND j.id = ANY (ARRAY(
        SELECT s.job_id FROM youtility_tasks_workflowstep s
         WHERE s.workflow_id = ANY (tree) AND s.job_id IS NOT NULL AND (s.id = ANY (whole) OR s.id = ANY (failed) OR s.group_id = ANY (whole))));
    DELETE FROM youtility_tasks_workflowstep s WHERE s.group_id = ANY (whole);
    DELETE FROM youtility_tasks_workflowsignal g USING youtility_tasks_workflowstep s
     WHERE s.id = ANY (whole) AND s.kind = 'signal' AND g.tenant_id = s.tenant_id AND g.workflow_id = s.workflow_id AND g.name = s.name;
    UPDATE youtility_tasks_workflowstep s
       SET status = 'blocked', ended_at = NULL, released_at = NULL, job_id = NULL, result = NULL, error_class = '', error_message = '',
           open_items = NULL, failed_items = NULL, timeout_at = NULL
     WHERE s.id = ANY (whole) OR (s.id = ANY (failed) AND s.kind = 'item');
    UPDATE youtility_tasks_workflowstep s SET status = 'todo', ended_at = NULL, error_class = '', error_message = ''
     WHERE s.id = ANY (failed) AND s.kind IN ('fan_out', 'sub') AND s.id <> ALL (whole);
    UPDATE youtility_tasks_taskworkflow w
       SET status = 'blocked', started_at = NULL, deadline_at = NULL, ended_at = NULL, cancelled_at = NULL, is_overdue = false, reason = ''
     WHERE w.id = ANY (inner_flows);
    UPDATE youtility_tasks_taskworkflow w
       SET status = 'running', ended_at = NULL, cancelled_at = NULL, is_overdue = false, reason = '',
           deadline_at = clock_timestamp() + w.deadline_s * interval '1 second'
     WHERE w.id = p_flow OR (w.id = ANY (tree) AND EXISTS (SELECT FROM youtility_tasks_workflowstep s WHERE s.id = w.parent_step_id AND s.status = 'todo'));
    PERFORM youtility_tasks_flow_unskip_v1(p_flow);
    PERFORM youtility_tasks_flow_settle_v1(p_flow);
    RETURN QUERY SELECT flow.status::text, again;
END $$;

-- Upkeep: end runs past their deadline and signals past their time, and stop what a cancelled run still has. Up to p_most of each.
CREATE FUNCTION youtility_tasks_flows_overdue_v1(p_most integer, OUT overdue integer, OUT timed_out integer, OUT stopped integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    flow record;
    ended bigint[];
    n integer;
    late CONSTANT timestamptz := clock_timestamp();
BEGIN
    overdue := 0;
    timed_out := 0;
    stopped := 0;
    FOR flow IN SELECT w.id, w.root_id FROM youtility_tasks_taskworkflow w
                 WHERE w.status = 'running' AND w.deadline_at < late AND w.cancelled_at IS NULL ORDER BY w.root_id LIMIT p_most LOOP
        CONTINUE WHEN NOT youtility_tasks_flow_try_lock_v1(flow.root_id);
        PERFORM youtility_tasks_flow_stop_v1(w.id, 'its deadline has passed', true) FROM youtility_tasks_taskworkflow w
          WHERE w.id = flow.id AND w.status = 'running' AND w.deadline_at < late AND w.cancelled_at IS NULL;
        overdue := overdue + FOUND::integer;
    END LOOP;
    FOR flow IN SELECT s.id, w.root_id FROM youtility_tasks_workflowstep s JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
                 WHERE s.status = 'todo' AND s.timeout_at < late ORDER BY w.root_id LIMIT p_most LOOP
        CONTINUE WHEN NOT youtility_tasks_flow_try_lock_v1(flow.root_id);
        WITH late_step AS (
            UPDATE youtility_tasks_workflowstep s
               SET status = 'failed', ended_at = clock_timestamp(), timeout_at = NULL, error_message = 'Nobody has sent this signal in time.'
             WHERE s.id = flow.id AND s.status = 'todo' AND s.timeout_at < late RETURNING s.id)
        SELECT coalesce(array_agg(o.id), '{}') INTO ended FROM late_step o;
        PERFORM youtility_tasks_flow_advance_v1(ended);
        timed_out := timed_out + cardinality(ended);
    END LOOP;
    FOR flow IN SELECT w.id, w.root_id FROM youtility_tasks_taskworkflow w
                 WHERE w.status = 'running' AND w.cancelled_at IS NOT NULL ORDER BY w.root_id LIMIT p_most LOOP
        CONTINUE WHEN NOT youtility_tasks_flow_try_lock_v1(flow.root_id);
        SELECT s.cancelled INTO n FROM youtility_tasks_taskworkflow w, LATERAL youtility_tasks_flow_stop_v1(w.id, w.reason, w.is_overdue) s
         WHERE w.id = flow.id AND w.status = 'running';
        stopped := stopped + coalesce(n, 0);
    END LOOP;
END $$;

-- The sweep: steps whose job is over and who were not told, and runs in which a step is ready and was not released. In normal life
-- there are none, since both happen in the statement that ends a job; this proves it, and repairs what a trigger that somebody
-- switched off has left.
CREATE FUNCTION youtility_tasks_flows_sweep_v1(p_most integer, OUT untold integer, OUT unreleased integer) LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    root bigint;
    jobs CONSTANT bigint[] := ARRAY(
        SELECT s.job_id FROM youtility_tasks_workflowstep s
         WHERE s.status = 'todo' AND s.job_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.id = s.job_id AND j.status IN ('todo', 'doing')) LIMIT p_most);
BEGIN
    untold := youtility_tasks_flow_jobs_ended_v1(jobs, '-infinity');
    unreleased := 0;
    FOR root IN
        SELECT DISTINCT w.root_id FROM youtility_tasks_workflowstep s JOIN youtility_tasks_taskworkflow w ON w.id = s.workflow_id
         WHERE s.status = 'blocked' AND w.status = 'running'
           AND (s.pending = 0 OR CASE WHEN s.needs_all THEN s.met = s.edge_count ELSE s.met > 0 END
                OR s.pending <> (SELECT count(*) FROM youtility_tasks_taskdependency d JOIN youtility_tasks_workflowstep p ON p.id = d.parent_id
                                  WHERE d.tenant_id = s.tenant_id AND d.workflow_id = s.workflow_id AND d.child_id = s.id
                                    AND p.status IN ('blocked', 'todo')))
         ORDER BY w.root_id LIMIT p_most LOOP
        CONTINUE WHEN NOT youtility_tasks_flow_try_lock_v1(root);
        PERFORM youtility_tasks_flow_settle_v1(root);
        unreleased := unreleased + 1;
    END LOOP;
END $$;

-- Remove outermost runs, with all in them, that ended before p_before; how many, up to p_most.
CREATE FUNCTION youtility_tasks_flows_prune_v1(p_before timestamptz, p_most integer) RETURNS bigint LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    removed bigint;
BEGIN
    WITH chosen AS MATERIALIZED (
        SELECT w.id FROM youtility_tasks_taskworkflow w WHERE w.parent_step_id IS NULL AND w.ended_at < p_before
         ORDER BY w.ended_at LIMIT p_most FOR UPDATE SKIP LOCKED)
    DELETE FROM youtility_tasks_taskworkflow w WHERE w.id = ANY (ARRAY(SELECT c.id FROM chosen c));
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;

-- These run with their owner's rights, as those of 0015 do: a worker may insert no job, and a tenant no step.
DO $do$
DECLARE
    each record;
BEGIN
    FOR each IN SELECT f.name::regprocedure AS name FROM unnest(ARRAY[
        'youtility_tasks_steps_ended_v1()',
        'youtility_tasks_step_retried_v1()',
        'youtility_tasks_signal_sent_v1()',
        'youtility_tasks_flow_start_v1(jsonb,integer,boolean)',
        'youtility_tasks_flow_signal_v1(bigint,text,jsonb,text,integer)',
        'youtility_tasks_flow_cancel_v1(bigint,text,integer)',
        'youtility_tasks_flow_retry_v1(bigint,text,integer)',
        'youtility_tasks_flows_overdue_v1(integer)',
        'youtility_tasks_flows_sweep_v1(integer)',
        'youtility_tasks_flows_prune_v1(timestamptz,integer)']) f(name) LOOP
        EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path TO pg_catalog, %I, pg_temp', each.name, current_schema());
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each.name);
    END LOOP;
    FOR each IN SELECT p.oid::regprocedure AS name FROM pg_proc p
                 WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'youtility\_tasks\_flow\_%' LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', each.name);
    END LOOP;
END $do$;
