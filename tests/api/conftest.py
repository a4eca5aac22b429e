"""Two tenants, people in every role, and clients that speak JSON for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.speaking import ACME, OTHER, Api
from tests.somebody import somebody
from youtility_tasks import Retry, Task, roster, tenants, tokens


def add(*, number: int = 0) -> dict[str, int]:
    """Add one to a number."""
    return {"sum": number + 1}


def fail(*, number: int = 0) -> None:
    raise ValueError(f"no {number}")


@pytest.fixture
def add_task(declare: Callable[..., Task]) -> Task:
    return declare(add, name="add", queue_name="maintenance", retry=Retry(2))


@pytest.fixture
def fail_task(declare: Callable[..., Task]) -> Task:
    return declare(fail, name="fail", queue_name="email", retry=Retry(1))


@pytest.fixture
def acme(db: None) -> int:
    return roster.add(ACME, "Acme").pk


@pytest.fixture
def other_tenant(db: None) -> int:
    return roster.add(OTHER, "Other").pk


@pytest.fixture
def person(acme: int, other_tenant: int) -> Callable[[str], User]:
    """`person("operator")`: see `somebody`."""
    return somebody


@pytest.fixture
def api(person: Callable[[str], User]) -> Callable[..., Api]:
    """`api("operator")`: their requests, with a token of their own; "anonymous" has none."""

    def call(kind: str, **cap: Any) -> Api:
        if kind == "anonymous":
            return Api(Client())
        _, text = tokens.create(person(kind), "test", **cap)
        return Api(Client(), Authorization=f"Bearer {text}")

    return call


@pytest.fixture
def enqueue() -> Callable[..., int]:
    """Enqueue for a tenant; the job's id."""

    def put(tenant_id: int, task: Task, **args: Any) -> int:
        with tenants.tenant(tenant_id):
            return int(task.enqueue(**args).id)

    return put


@pytest.fixture(autouse=True)
def generous(settings: Any) -> Iterator[None]:
    """No test but those of the rate meets it."""
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "api_burst": 100_000}
    yield
