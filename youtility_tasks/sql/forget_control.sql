SELECT youtility_tasks_forget_control_v1(%(control_id)s)
