-- With its end the values go that a redrive gave anew. By itself: an operator, who may not read them, ends redrives without any.
UPDATE youtility_tasks_redrive r SET edits = '{}' WHERE r.id = %(redrive_id)s
