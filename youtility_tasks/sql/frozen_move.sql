-- For tests whose clock stands still (testing/clock.py), and for nothing else: whatever waits for an instant stands to `new` as it stood
-- to `old`, and what is later than that is put off by `far` as well.
WITH jobs AS (
    UPDATE procrastinate_jobs j
       SET scheduled_at = j.scheduled_at - %(old)s::timestamptz + %(new)s::timestamptz
                          + CASE WHEN j.scheduled_at > %(old)s THEN %(far)s ELSE interval '0' END,
           expires_at = j.expires_at - %(old)s::timestamptz + %(new)s::timestamptz
                        + CASE WHEN j.expires_at > %(old)s THEN %(far)s ELSE interval '0' END
     WHERE (j.status = 'todo' OR j.id = ANY (%(jobs)s::bigint[])) AND (j.scheduled_at IS NOT NULL OR j.expires_at IS NOT NULL)
), steps AS (
    UPDATE youtility_tasks_workflowstep s
       SET timeout_at = s.timeout_at - %(old)s::timestamptz + %(new)s::timestamptz
                        + CASE WHEN s.timeout_at > %(old)s THEN %(far)s ELSE interval '0' END
     WHERE s.timeout_at IS NOT NULL
), flows AS (
    UPDATE youtility_tasks_taskworkflow w
       SET deadline_at = w.deadline_at - %(old)s::timestamptz + %(new)s::timestamptz
                         + CASE WHEN w.deadline_at > %(old)s THEN %(far)s ELSE interval '0' END
     WHERE w.deadline_at IS NOT NULL
)
SELECT 1
