-- Which of these duties are due; who begins one asks again, as another worker may be quicker.
SELECT w.name
  FROM unnest(%(names)s::text[], %(every_s)s::double precision[]) w(name, every_s)
  LEFT JOIN youtility_tasks_upkeepduty d ON d.name = w.name
 WHERE d.begun_at IS NULL OR d.begun_at <= clock_timestamp() - w.every_s * interval '1 second'
