SELECT k.id FROM youtility_tasks_keys k ORDER BY k.added_at DESC
