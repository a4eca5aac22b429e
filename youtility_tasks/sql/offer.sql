-- Wait for jobs that are handed over by who enqueues them.
SELECT youtility_tasks_offer_v1(%(worker_id)s, %(queue_name)s, %(slots)s, %(channel)s, %(fresh_s)s)
