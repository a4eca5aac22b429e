DROP FUNCTION youtility_tasks_before_v1, youtility_tasks_parked_before_v1, youtility_tasks_parked_v1,
              youtility_tasks_forget_control_v1, youtility_tasks_unpark_v1;
DROP TRIGGER youtility_tasks_keep_audit ON youtility_tasks_taskauditlog;
DROP FUNCTION youtility_tasks_keep_audit_v1;
