"""The facility company's 32 tasks. Their rules are plain functions; the queue under them is `youtility_tasks`."""
