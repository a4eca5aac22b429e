-- How a worker does (`sample`, once a minute) and what is new of it and its children (`about`); either may be NULL.
WITH told AS (
    UPDATE youtility_tasks_taskworker t
       SET version = a.about ->> 'version', python = a.about ->> 'python',
           replaced = jsonb_build_object('counts', a.about -> 'counts', 'last', coalesce((
               SELECT jsonb_agg(e.one - 'ago_s' || jsonb_build_object(
                          'at', statement_timestamp() - (e.one ->> 'ago_s')::float8 * interval '1 second') ORDER BY e.place)
                 FROM jsonb_array_elements(a.about -> 'last') WITH ORDINALITY e(one, place)), '[]'))
      FROM (SELECT %(about)s::jsonb AS about) a
     WHERE t.id = %(worker_id)s AND a.about IS NOT NULL
)
INSERT INTO youtility_tasks_workerheartbeat
       (worker_id, memory_bytes, children_bytes, child_count, running_mean, running_most, cpu)
SELECT t.id, s.memory_bytes, s.children_bytes, s.child_count, s.running_mean, s.running_most, s.cpu
  FROM youtility_tasks_taskworker t,
       jsonb_to_record(%(sample)s::jsonb) AS s(memory_bytes bigint, children_bytes bigint, child_count integer,
                                               running_mean float8, running_most integer, cpu float8)
 WHERE t.id = %(worker_id)s AND %(sample)s::jsonb IS NOT NULL
