"""Tasks with rules; the desk and the tenants are those of tests/integration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.conftest import acme, committed, desk, other_desk, other_tenant
from youtility_tasks import Retry, Task

__all__ = ["acme", "committed", "desk", "other_desk", "other_tenant"]


def report(*, site_id: int = 1, reason: str = "") -> str:
    return reason


@pytest.fixture
def report_task(declare: Callable[..., Task]) -> Task:
    """A task of all tenants with three attempts."""
    return declare(report, tenant="all", retry=Retry(3))


@pytest.fixture
def ruled(declare: Callable[..., Task]) -> Callable[..., Task]:
    """The same, declared with these options."""

    def make(**options: Any) -> Task:
        return declare(report, **{"tenant": "all", "retry": Retry(3), **options})

    return make
