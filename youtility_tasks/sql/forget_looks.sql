-- A claim that took long hides from those after it, for a while, what is more urgent or newer (migration 0010): not in a test.
SELECT set_config('youtility_tasks.floors', '', false)
