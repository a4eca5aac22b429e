-- One row a tick: whoever comes second, by whatever way, gets none.
INSERT INTO youtility_tasks_scheduledtaskexecution
       (tenant_id, schedule_id, tick_at, version, outcome, reason, detail, starts_at, tick_count, by_hand, decided_at)
VALUES (%(tenant_id)s, %(schedule_id)s, %(tick_at)s, %(version)s, %(outcome)s, %(reason)s, %(detail)s, %(starts_at)s, %(tick_count)s,
        %(by_hand)s, clock_timestamp())
ON CONFLICT (tenant_id, schedule_id, tick_at) DO NOTHING
RETURNING id
