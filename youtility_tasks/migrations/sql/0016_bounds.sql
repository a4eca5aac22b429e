-- What a control says is part of every claim of its queue, whoever's jobs they are. Values with which the claim cannot
-- reckon are brought to the nearest that it can: they kept the queue from being claimed at all.
UPDATE youtility_tasks_queuecontrol c
   SET rate_per_s = least(greatest(nullif(c.rate_per_s, 'NaN'), 1e-6), 1e6),
       burst = least(nullif(c.burst, 'NaN'), 1e6),
       tokens = CASE WHEN c.tokens BETWEEN -1e6 AND 1e6 THEN c.tokens ELSE 1 END,
       paused_until = CASE WHEN c.paused_until < '9998-01-01 UTC' THEN greatest(c.paused_until, '2000-01-01 UTC') END,
       paused_at = CASE WHEN c.paused_at BETWEEN '2000-01-01 UTC' AND '9998-01-01 UTC' THEN c.paused_at END,
       changed_at = CASE WHEN c.changed_at BETWEEN '2000-01-01 UTC' AND '9998-01-01 UTC' THEN c.changed_at ELSE now() END,
       refilled_at = CASE WHEN c.refilled_at BETWEEN '2000-01-01 UTC' AND '9998-01-01 UTC' THEN c.refilled_at ELSE now() END
 WHERE NOT (coalesce(c.rate_per_s BETWEEN 1e-6 AND 1e6, true) AND c.burst <= 1e6 AND c.tokens BETWEEN -1e6 AND 1e6
            AND coalesce(c.paused_until BETWEEN '2000-01-01 UTC' AND '9998-01-01 UTC', true)
            AND coalesce(c.paused_at BETWEEN '2000-01-01 UTC' AND '9998-01-01 UTC', true)
            AND c.changed_at BETWEEN '2000-01-01 UTC' AND '9998-01-01 UTC'
            AND c.refilled_at BETWEEN '2000-01-01 UTC' AND '9998-01-01 UTC');

-- A claim takes one lock of the server's table of locks for each control of its queue. That table is everybody's: 50,000 controls
-- of one tenant, and no queue is claimed from any more. Under a lock of the tenant, so that two who add see each other's.
CREATE FUNCTION youtility_tasks_few_controls_v1() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('youtility_tasks_few_controls'), NEW.tenant_id);
    IF (SELECT count(*) FROM youtility_tasks_queuecontrol c WHERE c.tenant_id = NEW.tenant_id) > 200 THEN
        RAISE check_violation USING CONSTRAINT = 'yt_control_few', TABLE = 'youtility_tasks_queuecontrol',
            MESSAGE = format('tenant %s has 200 limits and pauses already', NEW.tenant_id);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION youtility_tasks_few_controls_v1 FROM PUBLIC;
-- After: a row that is there already, and is only changed by INSERT ... ON CONFLICT, is none more.
CREATE TRIGGER youtility_tasks_few_controls AFTER INSERT OR UPDATE OF tenant_id ON youtility_tasks_queuecontrol
    FOR EACH ROW WHEN (NEW.tenant_id IS NOT NULL) EXECUTE FUNCTION youtility_tasks_few_controls_v1();
