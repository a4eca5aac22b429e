-- How jobs stood whose operation can be undone no longer.
UPDATE youtility_tasks_operationbatch b SET was = NULL
 WHERE b.id = ANY (ARRAY(
        SELECT x.id FROM youtility_tasks_operationbatch x JOIN youtility_tasks_taskoperation o ON o.id = x.operation_id
         WHERE x.was IS NOT NULL AND o.ended_at < %(now)s::timestamptz - %(undo_s)s::float8 * interval '1 second'
           AND NOT EXISTS (SELECT FROM youtility_tasks_taskoperation u WHERE u.undoes_id = o.id AND u.ended_at IS NULL)
         LIMIT %(most)s))
