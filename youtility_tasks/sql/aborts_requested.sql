SELECT j.id FROM procrastinate_jobs j WHERE j.id = ANY (%(job_ids)s) AND j.status = 'doing' AND j.abort_requested
