-- Tenants in turn: who has begun a thousand of them, or one that fails each time, keeps nobody else's waiting.
SELECT u.id, u.tenant_id
  FROM (SELECT o.id, o.tenant_id, row_number() OVER (PARTITION BY o.tenant_id ORDER BY o.id) AS turn
          FROM youtility_tasks_taskoperation o
         WHERE o.ended_at IS NULL AND o.id <> ALL (%(but_not)s::bigint[])) u
 ORDER BY u.turn, random() LIMIT %(most)s
