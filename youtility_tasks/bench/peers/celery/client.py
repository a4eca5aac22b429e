"""Celery's client."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import version

import redis
from django.db import connection

from .. import speak
from .app import app, mark, noop

_QUEUE, _PARKED = "celery", "parked"


class Celery:
    """Celery has no call for many jobs: `many` sends them one by one."""

    def __init__(self) -> None:
        self.redis = redis.Redis.from_url(os.environ["BENCH_REDIS"])
        self.queue, self.sent = _QUEUE, 0

    def one(self) -> None:
        self.sent += 1
        noop.apply_async(kwargs=speak.ARGUMENTS, queue=self.queue)

    def many(self, n: int) -> None:
        for _ in range(n):
            self.one()

    def mark(self, path: str, sent: float) -> None:
        self.sent += 1
        mark.apply_async(kwargs={"path": path, "sent": sent}, queue=self.queue)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        self.queue = _PARKED
        yield
        self.queue = _QUEUE
        # What a worker takes carries the name of its queue only for the broker's own bookkeeping.
        self.redis.rename(_PARKED, _QUEUE)

    def left(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM django_celery_results_taskresult")
            return self.sent - int(cursor.fetchone()[0])

    def clear(self) -> None:
        app.control.purge()
        self.redis.delete(_QUEUE, _PARKED, "unacked", "unacked_index")
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE django_celery_results_taskresult")
        self.sent = 0

    def versions(self) -> dict[str, str]:
        return {
            **{name: version(name) for name in ("celery", "redis", "django-celery-results", "Django")},
            "redis-server": str(self.redis.info("server")["redis_version"]),
        }


if __name__ == "__main__":
    speak.serve(Celery())
