DROP FUNCTION youtility_tasks_pump_v3, youtility_tasks_claim_limited_v1, youtility_tasks_controls_v1;
UPDATE procrastinate_jobs SET parked_by = 0 WHERE parked_by > 0;
