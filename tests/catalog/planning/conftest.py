"""What these tests start from: a clock that stands at 00:27 of a Monday, and two companies that look alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from task_catalog.facility.models import Bt
from tests.catalog.none_rows import put_none_rows
from tests.catalog.planning.frozen import FrozenClock
from tests.catalog.planning.roads import Roads
from tests.catalog.planning.world import MORNING, Planner


@pytest.fixture(autouse=True)
def clock_at(settings: Any, no_mail_server: Callable[[int], None]) -> Iterator[Callable[[datetime], None]]:
    """The catalogue's clock stands at the first sweep of the day; call it to set another instant."""
    settings.TASK_CATALOG = {
        **getattr(settings, "TASK_CATALOG", {}),
        "clock": f"{FrozenClock.__module__}.{FrozenClock.__qualname__}",
        "admin_emails": ["ops@house.example"],
        "mail_from": "desk@house.example",
    }

    def set_to(instant: datetime) -> None:
        FrozenClock.instant = instant

    set_to(MORNING)
    yield set_to


@pytest.fixture
def acme(db: None) -> Planner:
    """A client in India."""
    put_none_rows()
    return Planner("acme", ctzoffset=330)


@pytest.fixture
def site(acme: Planner) -> Bt:
    """A site of Acme's."""
    return acme.site("1")


@pytest.fixture
def globex(acme: Planner) -> Planner:
    """Another client, with the same codes and names, whose rows must stay apart."""
    return Planner("globex", ctzoffset=-300)


@pytest.fixture
def greenwich(db: None) -> Planner:
    """A client whose wall clock is UTC."""
    put_none_rows()
    return Planner("greenwich", ctzoffset=0)


@pytest.fixture
def roads(settings: Any) -> type[Roads]:
    """Somebody else finds the ways of tours."""
    settings.TASK_CATALOG = {
        **settings.TASK_CATALOG,
        "route_provider": f"{Roads.__module__}.{Roads.__qualname__}",
    }
    Roads.reset()
    return Roads
