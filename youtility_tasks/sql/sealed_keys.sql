-- How many jobs have an argument under which key.
SELECT found ->> 'key', count(DISTINCT j.id)
  FROM procrastinate_jobs j, jsonb_path_query(j.args, '$.** ? (exists(@."$sealed") && exists(@."key"))') found
 GROUP BY 1 ORDER BY 1
