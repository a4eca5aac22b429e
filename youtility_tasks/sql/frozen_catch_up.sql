-- For tests whose clock stands still (testing/clock.py), and for nothing else: what a release has counted from the database's clock since
-- `since` counts from `now`.
WITH steps AS (
    UPDATE youtility_tasks_workflowstep s SET timeout_at = %(now)s::timestamptz + s.timeout_s * interval '1 second'
     WHERE s.timeout_at IS NOT NULL AND s.released_at > %(since)s
), flows AS (
    UPDATE youtility_tasks_taskworkflow w SET deadline_at = %(now)s::timestamptz + w.deadline_s * interval '1 second'
     WHERE w.deadline_at IS NOT NULL AND w.started_at > %(since)s
), jobs AS (
    UPDATE procrastinate_jobs j SET scheduled_at = greatest(s.run_after, %(now)s::timestamptz + s.wait_s * interval '1 second')
      FROM youtility_tasks_workflowstep s
     WHERE j.step_id = s.id AND s.wait_s IS NOT NULL AND s.released_at > %(since)s AND j.status = 'todo' AND j.attempts = 0
)
SELECT clock_timestamp()
