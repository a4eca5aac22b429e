-- Whose jobs have an argument that was sealed under another key than the present one.
SELECT DISTINCT j.tenant_id
  FROM procrastinate_jobs j
 WHERE jsonb_path_exists(j.args, '$.** ? (exists(@."$sealed") && @."key" != $present)',
                         jsonb_build_object('present', %(key_id)s::text))
 ORDER BY j.tenant_id
