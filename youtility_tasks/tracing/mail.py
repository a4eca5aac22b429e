"""A span around each conversation of Django's with a mail server: how many messages, and never to whom or about what."""

from __future__ import annotations

import functools
import smtplib
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import SpanKind, StatusCode

from . import ids

_LIKE = "youtility_tasks_traced"


def instrument() -> None:
    """From now on, in this process; asking again changes nothing."""
    for name in ("connect", "sendmail"):
        there = getattr(smtplib.SMTP, name)
        if not hasattr(there, _LIKE):
            setattr(smtplib.SMTP, name, _traced(name, there))


def _traced(name: str, there: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(there)
    def traced(self: smtplib.SMTP, *args: Any, **kwargs: Any) -> Any:
        with ids.tracer().start_as_current_span(
            f"smtp {name}", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            span.set_attribute("network.protocol.name", "smtp")
            if name == "sendmail" and len(args) > 1:
                span.set_attribute("youtility.mail.recipient_count", 1 if isinstance(args[1], str) else len(args[1]))
            try:
                return there(self, *args, **kwargs)
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise
            finally:
                host = getattr(self, "_host", "") or (args[0] if name == "connect" and args else "")
                if host:
                    span.set_attribute("server.address", str(host))

    setattr(traced, _LIKE, True)
    return traced
