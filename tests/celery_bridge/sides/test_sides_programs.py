"""The ground of the bridge's tests: what they take for Celery is Celery."""

from __future__ import annotations

from celery import Celery

from tests.celery_bridge.programs import Programs, Redis, until

APP = "tests.celery_bridge.app.celery_app"


def test_a_call_that_waits_in_a_killed_redis_is_run_by_a_worker_that_starts_later(
    redis_server: Redis, programs: Programs
) -> None:
    client = Celery("caller", broker=redis_server.url(0), backend=redis_server.url(1))
    called = client.send_task("celery_adds", (1, 2)).id
    redis_server.kill()
    redis_server.start()

    programs.worker(APP, pool="solo")

    assert until(lambda: client.backend.get_state(called) == "SUCCESS", why="it has run")
    assert client.backend.get_result(called) == 3
    assert not redis_server.client().exists("celery")
