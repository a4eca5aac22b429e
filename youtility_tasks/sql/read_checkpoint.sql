SELECT j.checkpoint FROM procrastinate_jobs j WHERE j.id = %(job_id)s
