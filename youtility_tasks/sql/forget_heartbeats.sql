-- Samples of workers that are older than anybody looks back, a batch at a time.
DELETE FROM youtility_tasks_workerheartbeat h
 WHERE h.id = ANY (ARRAY(SELECT x.id FROM youtility_tasks_workerheartbeat x
                          WHERE x.at < %(now)s::timestamptz - %(keep_s)s::float8 * interval '1 second' LIMIT %(most)s))
