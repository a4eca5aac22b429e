"""What a scrape is answered with, and who may have it."""

from __future__ import annotations

import functools
import hmac
import ipaddress

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from youtility_tasks.conf import settings

from . import text
from .families import Numbers
from .source import Source


@functools.cache
def registry() -> CollectorRegistry:
    """The numbers of the database alone: nothing of this process, which is one of many."""
    made = CollectorRegistry(auto_describe=False)
    made.register(Numbers(Source()))
    return made


def body(accept: str) -> tuple[bytes, str]:
    """The text, and its content type: OpenMetrics for who asks for it."""
    _, content_type = choose_encoder(accept)
    is_openmetrics = content_type.startswith("application/openmetrics-text")
    return text.written(registry().collect(), is_openmetrics=is_openmetrics), content_type


def may(authorization: str) -> bool:
    """Whether the header shows the token; anybody may where none is set."""
    token = settings().metrics_token
    return token is None or hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def is_loopback(address: str) -> bool:
    """Whether that is this host."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
