"""What Celery's JSON can carry beyond JSON (instants, UUIDs, decimals), in its own form: `{"__type__": ..., "__value__": ...}`.

Only these types are ever made of what was stored; no class is imported that data names.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.functional import Promise

_READ: dict[str, Callable[[Any], Any]] = {
    "datetime": dt.datetime.fromisoformat,
    "date": lambda text: dt.datetime.fromisoformat(text).date(),
    "time": dt.time.fromisoformat,
    "decimal": decimal.Decimal,
    "uuid": lambda said: uuid.UUID(said["hex"]),
    "bytes": lambda text: text.encode(),
    "base64": base64.b64decode,
}
_PLAIN = (str, int, float, bool, type(None))


def packed(value: Any) -> Any:
    """The value with what JSON does not know in Celery's form; what nobody knows stays, and is refused by whoever writes it."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {_key(key): packed(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [packed(each) for each in value]
    if isinstance(value, dt.datetime):
        return _typed("datetime", value.isoformat())
    if isinstance(value, dt.date):
        return _typed("date", value.isoformat())
    if isinstance(value, dt.time):
        return _typed("time", value.isoformat())
    if isinstance(value, decimal.Decimal):
        return _typed("decimal", str(value))
    if isinstance(value, uuid.UUID):
        return _typed("uuid", {"hex": value.hex})
    if isinstance(value, bytes):
        try:
            return _typed("bytes", value.decode())
        except UnicodeDecodeError:
            return _typed("base64", base64.b64encode(value).decode())
    if isinstance(value, Promise):
        return str(value)
    return packed(value.__json__()) if hasattr(value, "__json__") else value


def _key(key: Any) -> Any:
    """As `json` writes it: a number becomes text."""
    return json.dumps(key) if isinstance(key, int | float) or key is None else key


def opened(value: Any) -> Any:
    """The value that `packed` was given; tuples have become lists, as in Celery."""
    if isinstance(value, dict):
        if value.keys() == {"__type__", "__value__"} and value["__type__"] in _READ:
            try:
                return _READ[value["__type__"]](value["__value__"])
            except (ArithmeticError, LookupError, TypeError, ValueError):
                return value
        return {key: opened(each) for key, each in value.items()}
    if isinstance(value, list):
        return [opened(each) for each in value]
    return value


def _typed(name: str, value: Any) -> dict[str, Any]:
    return {"__type__": name, "__value__": value}
