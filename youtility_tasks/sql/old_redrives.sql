SELECT count(*) FROM youtility_tasks_redrive r
 WHERE r.ended_at < date_trunc('day', %(now)s::timestamptz, 'UTC') - %(days)s::float8 * interval '1 day'
