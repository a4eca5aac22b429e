SELECT token_id, token_name, user_id, tenant_id, role FROM youtility_tasks_api_token_v1(%(digest)s)
