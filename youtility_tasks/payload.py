"""What may travel as JSON: arguments are checked before they are written, results are cleaned before they are stored."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import pathlib
import uuid
from collections.abc import Callable
from typing import Any

from .errors import NotJson, TooDeep, TooLarge

PLACE = "$flow"
"""The key beside a job's arguments that says of which workflow's step it is; no argument of its task."""

_MAX_INT_BITS = 1024  # Python itself refuses to print integers of more than 4,300 digits


def check(what: str, args: Any, *, max_bytes: int, max_depth: int, root: str = "args") -> str:
    """The JSON text of a job's arguments, or of an effect's payload; `what` and `root` are what an error calls them.

    Raises NotJson, TooDeep or TooLarge, naming the place (`args.ids[3]`). A walk counts the bytes before any text is
    made, so that a huge argument costs no second copy in memory; only escapes are left for the text itself to show.
    """
    walk = _Walk(what, root, max_bytes, max_depth)
    walk.visit(args, 0)
    text = json.dumps(args, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(text) * 4 > max_bytes and len(text.encode()) > max_bytes:
        raise walk.too_large()
    return text


class _Walk:
    """Visits every value once; `bytes` never exceeds what the JSON text will take."""

    def __init__(self, what: str, root: str, max_bytes: int, max_depth: int) -> None:
        self.what, self.root, self.max_bytes, self.max_depth = what, root, max_bytes, max_depth
        self.bytes = 0
        self.path: list[str | int] = []

    def visit(self, value: Any, depth: int) -> None:
        if depth > self.max_depth:
            raise TooDeep(
                f"{self.what}: {self._place()} is nested deeper than {self.max_depth} levels. Pass an id instead."
            )
        if value is None or value is True:
            self._count(4)
        elif value is False:
            self._count(5)
        elif isinstance(value, str):
            self._text(value)
        elif isinstance(value, int):
            if value.bit_length() > _MAX_INT_BITS:
                raise self._not_json(f"is an integer of {value.bit_length()} bits; pass it as text.")
            self._count(len(int.__repr__(value)))
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise self._not_json(f"is {value!r}, which JSON cannot carry; pass None or text.")
            self._count(len(float.__repr__(value)))
        elif isinstance(value, dict):
            self._count(1 + 2 * len(value) if value else 2)  # braces, colons, commas
            for key, item in value.items():
                if not isinstance(key, str):
                    raise self._not_json(f"has the key {safe(repr, key)[:80]}; keys of JSON objects are text.")
                self.path.append(key)
                self._text(key)
                self.visit(item, depth + 1)
                self.path.pop()
        elif isinstance(value, list | tuple):
            self._count(1 + len(value) if value else 2)  # brackets, commas
            for index, item in enumerate(value):
                self.path.append(index)
                self.visit(item, depth + 1)
                self.path.pop()
        else:
            raise self._not_json(f"is {_describe(value)}, which is not JSON.{_way_out(value)}")

    def too_large(self) -> TooLarge:
        return TooLarge(
            f"{self.what}: {self.root} has more than {self.max_bytes // 1024} KiB. "
            "Store the data in a table or a blob and pass its id."
        )

    def _text(self, value: str) -> None:
        if "\0" in value:
            raise self._not_json("holds a NUL character, which PostgreSQL cannot store; remove it.")
        try:
            self._count(len(value.encode()) + 2)
        except UnicodeEncodeError as error:
            raise self._not_json(
                f"holds the lone surrogate {value[error.start]!r}; it is half a character, remove it."
            ) from error

    def _count(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.max_bytes:
            raise self.too_large()

    def _not_json(self, why: str) -> NotJson:
        return NotJson(f"{self.what}: {self._place()} {why}")

    def _place(self) -> str:
        parts = [f"[{part}]" if isinstance(part, int) else f".{clean_text(part, limit=40)}" for part in self.path]
        return self.root + clean_text("".join(parts), limit=200)


def _describe(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")


def _way_out(value: object) -> str:
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return " Pass value.isoformat()."
    if isinstance(value, dt.timedelta):
        return " Pass value.total_seconds()."
    if isinstance(value, set | frozenset):
        return " Pass sorted(value)."
    if isinstance(value, bytes | bytearray):
        return " Pass base64 text, or store the bytes and pass their name."
    if isinstance(value, uuid.UUID | decimal.Decimal | pathlib.PurePath):
        return " Pass str(value)."
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
    except Exception as error:  # an object that fails when it is looked at
        return {"_dropped": f"the result could not be read: {type(error).__name__}"}
    size = len(json.dumps(cleaned, ensure_ascii=False).encode())
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
        return {clean_text(safe(str, key)): _clean(item, depth + 1) for key, item in value.items()}
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
    except BaseException as error:  # SystemExit too: it is the object's, not ours
        return f"<{type(value).__name__} whose text could not be made: {type(error).__name__}>"
