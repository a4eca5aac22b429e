SELECT youtility_tasks_checkpoint_v1(%(job_id)s::bigint, %(worker_id)s::bigint, %(claim_number)s::bigint, %(data)s::jsonb)
