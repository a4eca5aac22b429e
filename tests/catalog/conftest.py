"""What tests of the catalogue start from: an instant, and two clients that must not meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from task_catalog.facility.clients import create_client
from task_catalog.facility.models import Bt
from tests.catalog.closing.smtp_sink import Sink, SinkController
from tests.catalog.none_rows import put_none_rows


@pytest.fixture
def now() -> datetime:
    """The beginning of the catalogue's day, a Monday."""
    return datetime(2025, 3, 3, tzinfo=UTC)


@pytest.fixture
def none_rows(db: None) -> None:
    """A database that holds the NONE rows and no client."""
    put_none_rows()


@pytest.fixture
def acme(none_rows: None, now: datetime) -> Bt:
    """A client in India."""
    return create_client("Acme", "ACME", at=now, ctzoffset=330)


@pytest.fixture
def globex(none_rows: None, now: datetime) -> Bt:
    """Another client, whose rows nobody at Acme may see."""
    return create_client("Globex", "GLOBEX", at=now)


@pytest.fixture
def no_mail_server(settings: Any) -> Callable[[int], None]:
    """Point the mail settings at a port; nobody listens on port 1."""

    def point_at(port: int) -> None:
        if hasattr(settings, "MAILERS"):  # Django 6.1 and later
            settings.MAILERS = {"default": {"OPTIONS": {"host": "127.0.0.1", "port": port}}}
        else:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST = "127.0.0.1"
            settings.EMAIL_PORT = port
            settings.EMAIL_TIMEOUT = None  # then the catalogue's own limit holds

    point_at(1)
    return point_at


@pytest.fixture
def mailbox(no_mail_server: Callable[[int], None]) -> Iterator[Sink]:
    """A mail server that takes everything until it is told not to."""
    sink = Sink()
    controller = SinkController(sink)
    controller.start()
    no_mail_server(controller.port)
    try:
        yield sink
    finally:
        controller.stop()
