INSERT INTO youtility_tasks_queuecounter AS c (name, label, value) VALUES (%(name)s, %(label)s, %(n)s)
ON CONFLICT (name, label) DO UPDATE SET value = c.value + excluded.value
