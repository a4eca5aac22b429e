-- What waits and runs here, by task: of all jobs, or of the newest so many. No index tells tasks apart in the queue.
SELECT n.task_name, n.status, count(*)
  FROM (SELECT j.task_name, j.status::text AS status FROM procrastinate_jobs j
         WHERE j.status IN ('todo', 'doing') ORDER BY j.id DESC LIMIT %(most)s) n
 GROUP BY 1, 2
