"""What tests of the catalogue start from: an instant, and two clients that must not meet."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from task_catalog.facility.clients import create_client
from task_catalog.facility.models import Bt
from task_catalog.facility.sentinels import ensure_sentinels


@pytest.fixture
def now() -> datetime:
    """The beginning of the catalogue's day, a Monday."""
    return datetime(2025, 3, 3, tzinfo=UTC)


@pytest.fixture
def none_rows(db: None) -> None:
    """A database that holds the NONE rows and no client."""
    ensure_sentinels()


@pytest.fixture
def acme(none_rows: None, now: datetime) -> Bt:
    """A client in India."""
    return create_client("Acme", "ACME", at=now, ctzoffset=330)


@pytest.fixture
def globex(none_rows: None, now: datetime) -> Bt:
    """Another client, whose rows nobody at Acme may see."""
    return create_client("Globex", "GLOBEX", at=now)
