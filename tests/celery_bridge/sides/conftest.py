"""Two tenants, tasks of this process alone, and a Celery application of it that sends to the module's Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery, _state
from django.db import connections

from tests.celery_bridge.programs import Redis
from youtility_tasks import Task
from youtility_tasks.celery_bridge import joining, routes
from youtility_tasks.models import Tenant


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """No route that a test before has read, and no Celery application that one has made or registered."""
    before, joined = _state._tls.current_app, list(joining._joined)
    routes.forget()
    yield
    routes.forget()
    joining._joined[:] = joined
    if _state._tls.current_app is not before:
        _state._tls.current_app.close()
        _state._tls.current_app = before


@pytest.fixture
def acme(transactional_db: None) -> int:
    return Tenant.objects.create(id=7, name="Acme").pk


@pytest.fixture
def other_tenant(transactional_db: None) -> int:
    return Tenant.objects.create(id=8, name="Other").pk


@pytest.fixture
def celery_app(redis_server: Redis) -> Iterator[Celery]:
    """The real application of this process; Redis is empty."""
    redis_server.client().flushall()
    yield Celery("tests", broker=redis_server.url(0), backend=redis_server.url(1), set_as_current=True)


@pytest.fixture
def database_url(cluster: Any, transactional_db: None) -> str:
    """Of the database that this process's own connection leads to."""
    return str(cluster.url(connections["default"].settings_dict["NAME"]))


def books(*, number: int, wait_s: float = 0) -> dict[str, int]:
    return {"number": number}


def stumbles(*, number: int) -> int:
    return number


@pytest.fixture
def books_task(declare: Callable[..., Task]) -> Task:
    """The small application's task, as this process knows it: it only sends it."""
    return declare(books, name="bridge_books")


@pytest.fixture
def stumbles_task(declare: Callable[..., Task]) -> Task:
    return declare(stumbles, name="bridge_stumbles")
