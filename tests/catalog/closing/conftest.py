"""What these tests start from: a clock that stands still, a mail server, two companies that look alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.catalog.closing.frozen import FrozenClock
from tests.catalog.closing.world import START, Company
from tests.catalog.none_rows import put_none_rows


@pytest.fixture(autouse=True)
def clock_at(settings: Any) -> Iterator[Callable[[datetime], None]]:
    """The catalogue's clock stands at noon; call it to set another instant."""
    settings.TASK_CATALOG = {
        **getattr(settings, "TASK_CATALOG", {}),
        "clock": f"{FrozenClock.__module__}.{FrozenClock.__qualname__}",
        "mail_from": "Facility desk <desk@house.example>",
        "admin_emails": ["ops@house.example"],
        "mail_timeout_s": 5,
    }

    def set_to(instant: datetime) -> None:
        FrozenClock.instant = instant

    set_to(START.replace(hour=12))
    yield set_to


@pytest.fixture
def acme(transactional_db: None) -> Company:
    """A client in India."""
    put_none_rows()
    return Company("acme", ctzoffset=330)


@pytest.fixture
def globex(acme: Company) -> Company:
    """Another client, with the same codes and names, whose news nobody at Acme may get."""
    return Company("globex", ctzoffset=-300)


@pytest.fixture
def site(acme: Company) -> Any:
    """A site of acme with somebody in charge, and an administrator of acme."""
    site = acme.site("1")
    acme.in_charge(site)
    acme.person("admin", isadmin=True)
    return site
