"""For those who come from Celery: `.delay`, `.apply_async`, `AsyncResult`."""
