DROP FUNCTION youtility_tasks_rescue_v1, youtility_tasks_unregister_v1, youtility_tasks_register_v1,
              youtility_tasks_renew_v1, youtility_tasks_give_back_v1, youtility_tasks_pump_v1, youtility_tasks_finish_v1, youtility_tasks_claim_v1;
