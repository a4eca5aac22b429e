-- One row if the duty is due: the caller has it. Whoever comes at the same moment waits for this row, looks again and has none.
INSERT INTO youtility_tasks_upkeepduty AS d (name, begun_at, done_count, error)
VALUES (%(name)s, clock_timestamp(), 0, '')
ON CONFLICT (name) DO UPDATE SET begun_at = clock_timestamp()
 WHERE d.begun_at <= clock_timestamp() - %(every_s)s * interval '1 second'
RETURNING clock_timestamp()
