"""The attributes of spans, after OpenTelemetry's conventions for messaging; those of ours begin with `youtility.`. Never arguments."""

from __future__ import annotations

from typing import Any

SYSTEM = "youtility_tasks"


def messaging(operation: str, destination: str, **more: Any) -> dict[str, Any]:
    """What each span of a job has; None is left out, and `a__b` is `messaging.a.b`."""
    said = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": destination,
    }
    return said | {f"messaging.{key.replace('__', '.')}": value for key, value in more.items() if value is not None}


def ours(**more: Any) -> dict[str, Any]:
    """`a__b` is `youtility.a.b`; None is left out."""
    return {f"youtility.{key.replace('__', '.')}": value for key, value in more.items() if value is not None}
