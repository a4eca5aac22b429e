-- Jobs that are parked under a control which is gone, by queue and control: counted up to `most` for each.
SELECT p.queue_name, p.control_id, p.job_count FROM youtility_tasks_parked_v1(%(most)s) p
 WHERE NOT EXISTS (SELECT FROM youtility_tasks_queuecontrol c WHERE c.id = p.control_id)
