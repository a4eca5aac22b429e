"""A house with some of everything in it, and its exporter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import add_task, committed
from tests.integration.scraping import forget_connection
from youtility_tasks.exporter import answering
from youtility_tasks.exporter.serving import Server

__all__ = ["add_task", "committed"]


@pytest.fixture
def exporter(committed: None, settings: Any) -> Iterator[str]:
    """host:port of an exporter that tells tenants apart."""
    settings.YOUTILITY_TASKS = {"metrics_tenants": 5}
    answering.registry.cache_clear()
    server = Server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()
    forget_connection()
    answering.registry.cache_clear()
