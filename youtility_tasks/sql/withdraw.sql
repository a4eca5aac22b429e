-- Wait to be handed jobs no longer: whoever is about to hand one over does not see this yet.
WITH withdrawn AS (DELETE FROM youtility_tasks_offer o WHERE o.worker_id = %(worker_id)s)
SELECT pg_advisory_unlock_all()
