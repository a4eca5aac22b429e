-- Schedules as a page lists them, what needs somebody first: 0 late, 1 its last job is a dead letter, 2 its last tick was passed over,
-- 3 paused, 4 fine, 5 with no tick to come. One probe a schedule for its last occurrence; of its jobs only the last is looked at.
WITH seen AS (
    SELECT s.id, s.name, coalesce(nullif(s.zone, ''), t.zone, 'UTC') AS zone, l.tick_at, l.outcome, l.reason, l.by_hand,
           f.tick_at AS fired_at, f.job_id, j.status AS job_status,
           CASE WHEN s.next_at < clock_timestamp() - interval '60 seconds' AND NOT p.holds THEN 0
                WHEN j.status = 'failed' THEN 1
                WHEN l.reason IN ('missed', 'refused', 'overlap', 'twin', 'held') THEN 2
                WHEN p.holds THEN 3
                WHEN s.next_at IS NULL THEN 5
                ELSE 4 END AS rank
      FROM youtility_tasks_scheduledtask s
      LEFT JOIN youtility_tasks_tenant t ON t.id = s.tenant_id
     CROSS JOIN LATERAL (SELECT s.is_paused AND (s.paused_until IS NULL OR s.paused_until > clock_timestamp()) AS holds) p
      LEFT JOIN LATERAL (
            SELECT o.tick_at, o.outcome, o.reason, o.by_hand FROM youtility_tasks_scheduledtaskexecution o
             WHERE o.tenant_id = s.tenant_id AND o.schedule_id = s.id ORDER BY o.tick_at DESC LIMIT 1) l ON true
      LEFT JOIN LATERAL (
            SELECT r.tick_at, r.job_id FROM (
                SELECT o.tick_at, o.job_id, o.outcome FROM youtility_tasks_scheduledtaskexecution o
                 WHERE o.tenant_id = s.tenant_id AND o.schedule_id = s.id ORDER BY o.tick_at DESC LIMIT 60) r
             WHERE r.outcome = 'fired' ORDER BY r.tick_at DESC LIMIT 1) f ON true
      LEFT JOIN procrastinate_jobs j ON j.id = f.job_id
     WHERE s.removed_at IS NULL AND (%(tenant_id)s::integer IS NULL OR s.tenant_id = %(tenant_id)s::integer)
       AND (%(task_name)s::text IS NULL OR s.task_name = %(task_name)s::text)
       AND (%(queue_name)s::text IS NULL OR s.queue_name = %(queue_name)s::text
            OR (s.queue_name = '' AND s.task_name = ANY (%(tasks_of_queue)s::text[])))
       AND (%(named)s::text IS NULL OR strpos(lower(s.name), lower(%(named)s::text)) > 0)
)
SELECT n.id, n.rank, n.zone, n.tick_at, n.outcome, n.reason, n.by_hand, n.fired_at, n.job_id, n.job_status
  FROM seen n
 WHERE (%(ranks)s::integer[] IS NULL OR n.rank = ANY (%(ranks)s::integer[]))
   AND (%(after_id)s::bigint IS NULL
        OR (n.rank, n.name, n.id) > (%(after_rank)s::integer, (SELECT s.name FROM youtility_tasks_scheduledtask s WHERE s.id = %(after_id)s::bigint), %(after_id)s::bigint))
 ORDER BY n.rank, n.name, n.id
 LIMIT %(most)s
