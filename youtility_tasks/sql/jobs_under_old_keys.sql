-- Jobs of any status with an argument that was sealed under another key than the present one, from an id on. Those that wait
-- or are dead letters are locked; the caller's transaction changes them.
SELECT j.id, j.task_name, j.tenant_id, j.args::text, j.status::text, j.lock, j.queueing_lock, j.unique_key, j.done_key
  FROM procrastinate_jobs j
 WHERE j.id > %(after)s
   AND (%(tenant_id)s::integer IS NULL OR j.tenant_id = %(tenant_id)s::integer)
   AND jsonb_path_exists(j.args, '$.** ? (exists(@."$sealed") && @."key" != $present)',
                         jsonb_build_object('present', %(key_id)s::text))
 ORDER BY j.id LIMIT %(n)s
   FOR UPDATE OF j
