"""A house for all tests that leave it as they found it, and one of a test's own for those that change it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.tenancy.ground import House, Plot, build


@pytest.fixture(scope="session")
def shared_house(cluster: Any, template: str, django_db_blocker: Any) -> Iterator[House]:
    """Two tenants with rows, behind real roles. Whoever uses it rolls back."""
    with django_db_blocker.unblock():
        made = build(cluster, template)
    yield made
    made.pull_down()


@pytest.fixture(scope="session")
def plot(cluster: Any, template: str) -> Iterator[Plot]:
    made = Plot(cluster, template)
    yield made
    made.clear()


@pytest.fixture
def house(plot: Plot, django_db_blocker: Any) -> Iterator[House]:
    """The same, to be changed."""
    with django_db_blocker.unblock():
        made = plot.house()
        yield made
    plot.take_back(made)
