"""What may travel as JSON: arguments are checked before they are written, results are cleaned before they are stored."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from typing import Any

from .errors import NotJson, TooDeep, TooLarge

_MAX_INT_BITS = 1024  # Python itself refuses to print integers of more than 4,300 digits


def check(task_name: str, args: dict[str, Any], *, max_bytes: int, max_depth: int) -> str:
    """The JSON text of a job's arguments.

    Raises NotJson, TooDeep or TooLarge, naming the place (`args.ids[3]`), before any text is made: a walk counts
    the bytes first, so that a huge argument costs no second copy in memory.
    """
    _Walk(task_name, max_bytes, max_depth).visit(args, "args", 0)
    return json.dumps(args, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class _Walk:
    def __init__(self, task_name: str, max_bytes: int, max_depth: int) -> None:
        self.task_name, self.max_bytes, self.max_depth = task_name, max_bytes, max_depth
        self.bytes = 0

    def visit(self, value: Any, place: str, depth: int) -> None:
        if depth > self.max_depth:
            raise TooDeep(
                f"Task {self.task_name!r}: {place[:80]} is nested deeper than {self.max_depth} levels. Pass an id instead."
            )
        kind = type(value)
        if value is None or kind is bool:
            self._count(5)
        elif isinstance(value, str):
            self._text(value, place)
        elif isinstance(value, int):
            if value.bit_length() > _MAX_INT_BITS:
                raise NotJson(
                    f"Task {self.task_name!r}: {place} is an integer of {value.bit_length()} bits; pass it as text."
                )
            self._count(len(str(value)))
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise NotJson(
                    f"Task {self.task_name!r}: {place} is {value!r}, which JSON cannot carry; pass None or text."
                )
            self._count(len(repr(value)))
        elif isinstance(value, dict):
            self._count(2)
            for key, item in value.items():
                if not isinstance(key, str):
                    raise NotJson(
                        f"Task {self.task_name!r}: {place} has the key {key!r}; keys of JSON objects are text."
                    )
                self._text(key, f"{place} (a key)")
                self.visit(item, f"{place}.{key}", depth + 1)
        elif isinstance(value, list | tuple):
            self._count(2)
            for index, item in enumerate(value):
                self.visit(item, f"{place}[{index}]", depth + 1)
        else:
            raise NotJson(
                f"Task {self.task_name!r}: {place} is {_describe(value)}, which is not JSON.{_way_out(value)}"
            )

    def _text(self, value: str, place: str) -> None:
        if "\0" in value:
            raise NotJson(
                f"Task {self.task_name!r}: {place} holds a NUL character, which PostgreSQL cannot store; remove it."
            )
        try:
            self._count(len(value.encode()) + 3)
        except UnicodeEncodeError as error:
            raise NotJson(
                f"Task {self.task_name!r}: {place} holds the lone surrogate {value[error.start]!r}; it is half a character, remove it."
            ) from error

    def _count(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.max_bytes:
            raise TooLarge(
                f"Task {self.task_name!r}: the arguments are larger than {self.max_bytes // 1024} KiB. "
                "Store the data in a table or a blob and pass its id."
            )


def _describe(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")


def _way_out(value: object) -> str:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return " Pass value.isoformat()."
    if isinstance(value, set | frozenset):
        return " Pass sorted(value)."
    if isinstance(value, bytes | bytearray):
        return " Pass base64 text, or store the bytes and pass their name."
    if hasattr(value, "pk"):
        return " Pass its id and load it in the task."
    return " Pass ids and plain values."


def clean(value: Any, *, max_bytes: int) -> Any:
    """The value as JSON that PostgreSQL can always store; used for results and error texts, never raises.

    NUL, lone surrogates, NaN and unknown types are replaced by readable text; what is too deep or larger than
    `max_bytes` becomes a note that says so.
    """
    try:
        cleaned = _clean(value, 0)
        size = len(json.dumps(cleaned, ensure_ascii=False).encode())
    except RecursionError:
        return {"_dropped": "the result is nested too deep"}
    if size > max_bytes:
        return {"_dropped": f"the result has {size} bytes, more than {max_bytes}"}
    return cleaned


def _clean(value: Any, depth: int) -> Any:
    if depth > 100:
        return "…"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MAX_INT_BITS else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, depth + 1) for item in value]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return clean_text(safe(repr, value))


def clean_text(text: str, *, limit: int | None = None) -> str:
    """Text that PostgreSQL can store: no NUL, no lone surrogate; at most `limit` characters, the middle left out."""
    text = text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode()
    if limit is not None and len(text) > limit:
        half = (limit - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return text


def safe(render: Callable[[Any], str], value: object) -> str:
    """`render(value)`, or a note when the object's own `__str__` or `__repr__` fails."""
    try:
        return render(value)
    except Exception as error:
        return f"<{type(value).__name__} whose text could not be made: {type(error).__name__}>"
