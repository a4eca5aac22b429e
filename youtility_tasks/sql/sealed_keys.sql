SELECT k.key_id, k.job_count FROM youtility_tasks_sealed_keys_v1() k
