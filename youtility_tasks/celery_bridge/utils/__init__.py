"""Celery's place for `utils.log`."""
