-- Tell the workers of a queue that a limit or a pause has changed: they call back what they claimed ahead under the old ones.
SELECT pg_notify('procrastinate_queue_v1#' || %(queue_name)s, '{"type": "controls_changed"}')
