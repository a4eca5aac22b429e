DROP TRIGGER youtility_tasks_enter ON youtility_tasks_apitoken;
DROP FUNCTION youtility_tasks_api_token_v1(text), youtility_tasks_served_v1(double precision),
    youtility_tasks_api_take_v1(text, double precision, integer);
