"""Celery with Redis as its broker and its results in PostgreSQL."""
