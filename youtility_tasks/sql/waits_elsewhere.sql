-- Whether a due job of the queue waits for its lock behind a due job of another queue, which nobody has paused; and whether a
-- worker that is heard of serves that queue. Then, of the same moment: whether one waits for a job that another worker runs, and
-- whether one may run now, since a lock may have come free after the claim.
-- Asked by a draining worker before it leaves. Of more than 10,000 such jobs it sees the most urgent.
WITH waiting AS (
    SELECT w.lock FROM (
        (SELECT j.lock FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.scheduled_at IS NULL AND j.lock IS NOT NULL AND j.queue_name = %(queue_name)s
          ORDER BY -j.priority, j.id LIMIT 10000)
        UNION ALL
        (SELECT j.lock FROM procrastinate_jobs j
          WHERE j.status = 'todo' AND j.scheduled_at <= now() AND j.lock IS NOT NULL AND j.queue_name = %(queue_name)s
          ORDER BY j.scheduled_at LIMIT 10000)) w
     GROUP BY w.lock
), heads AS (
    SELECT h.queue_name, d.worker_id AS holder, d.lock IS NOT NULL AS is_running
      FROM waiting w
     CROSS JOIN LATERAL (
        SELECT o.queue_name, o.scheduled_at FROM procrastinate_jobs o
         WHERE o.lock = w.lock AND o.status = 'todo' ORDER BY -o.priority, o.id LIMIT 1) h
      LEFT JOIN procrastinate_jobs d ON d.lock = w.lock AND d.status = 'doing'
     WHERE h.scheduled_at IS NULL OR h.scheduled_at <= now() OR d.lock IS NOT NULL
), elsewhere AS (
    SELECT DISTINCT h.queue_name FROM heads h WHERE h.queue_name <> %(queue_name)s AND NOT h.is_running
)
SELECT count(*) > 0,
       coalesce(bool_or(EXISTS (
           SELECT FROM youtility_tasks_taskworker t JOIN procrastinate_workers w ON w.id = t.id
            WHERE t.queue_name = e.queue_name AND t.status = 'running'
              AND w.last_heartbeat > now() - %(lease_s)s * interval '1 second')), false),
       EXISTS (SELECT FROM heads h WHERE h.is_running AND h.holder IS DISTINCT FROM %(worker_id)s),
       EXISTS (SELECT FROM heads h WHERE h.queue_name = %(queue_name)s AND NOT h.is_running)
  FROM elsewhere e
 WHERE NOT EXISTS (
           SELECT FROM youtility_tasks_queuecontrol c
            WHERE c.queue_name IN (e.queue_name, '') AND c.is_paused AND (c.paused_until IS NULL OR c.paused_until > now()))
