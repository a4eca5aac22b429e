-- 30: the silence after which procrastinate itself calls one of its workers stalled; it reports every 10 s.
SELECT r.worker_id, r.job_id, r.task_name, r.verdict FROM youtility_tasks_rescue_all_v1(%(lease_s)s, 30, %(max_rescues)s) r
