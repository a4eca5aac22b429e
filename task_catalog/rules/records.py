"""Reads what devices write into a record: one column's value after another, into what a table can hold (R-GQL)."""

from __future__ import annotations

import json
import math
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

NOTHING = frozenset({"", "none", "null"})
"""Words, in any case, by which devices say that there is no value."""

_WORDS_OF_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_PLAIN_POINT = re.compile(r"\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*,\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*")
_WKT = re.compile(r"\s*(?:SRID=\d+;)?\s*(POINT|LINESTRING)\s*Z?\s*\(([^()]*)\)\s*", re.IGNORECASE)
_HEX = re.compile(r"[0-9A-Fa-f]{42,10000}")
_FORBIDDEN = re.compile(r"[\x00\ud800-\udfff]")
_WHOLE = re.compile(r"\s*-?\d{1,19}\s*", re.ASCII)
_MOST_POINTS = 10_000

Point = tuple[float, float]
"""Latitude and longitude in degrees."""


class Flaw(ValueError):
    """What is wrong with one value; the text says what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a column can hold: a kind of `expected_fields.KINDS`, "point" or "path", and its limits."""

    name: str
    kind: str
    is_nullable: bool = True
    longest: int | None = None
    """Characters of a text."""
    least: int | None = None
    most: int | None = None
    """Of a whole number."""
    digits: int | None = None
    places: int | None = None
    """Of a decimal number."""


def record_of(given: object) -> dict[str, Any]:
    """A record as a device sends it: JSON text of an object, such a text inside a JSON string, or the object itself.

    Raises Flaw.
    """
    value = given
    for _ in range(2):
        if isinstance(value, str):
            try:
                value = json.loads(value, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                raise Flaw("it is no JSON text") from error
    if not isinstance(value, dict):
        raise Flaw(f"it is {_shown(given)}; right is the JSON text of an object")
    return value


def uuid_of(record: Mapping[str, Any]) -> uuid.UUID:
    """The device's own key of a record. Raises Flaw if it has none."""
    given = record.get("uuid")
    if is_nothing(given):
        raise Flaw("it has no uuid")
    return _uuid(given)


def is_nothing(value: object) -> bool:
    """Whether a value stands for null."""
    return value is None or (isinstance(value, str) and value.strip().lower() in NOTHING)


def cleaned(column: Column, value: object) -> Any:
    """The value as the column holds it; None for null. Raises Flaw.

    A text column takes an empty text as such, and a null where there can be none as an empty text.
    """
    if column.kind == "text":
        return _text(column, value)
    if is_nothing(value):
        return None
    return _READERS[column.kind](column, value)


def answer_of(value: object) -> str:
    """An answer without the JSON list that some devices wrap around it; several choices are separated by commas."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


def words_of(value: object) -> list[str]:
    """A list column: comma text, or a JSON list."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                return words_of(json.loads(text))
            except (ValueError, RecursionError):
                pass
        return [] if is_nothing(text) else [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(value, list):
        return [str(item).strip() for item in value if str(item).strip()]
    if value is None:
        return []
    raise Flaw(f"{_shown(value)} is no list of words")


def instant_of(value: object) -> datetime:
    """`YYYY-MM-DD HH:MM:SS`, UTC unless it says otherwise. Raises Flaw."""
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value.strip())
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Flaw(f"{_shown(value)} is no instant; right is 'YYYY-MM-DD HH:MM:SS', in UTC")


def point_of(value: object) -> Point:
    """`lat,lng`, WKT or hexadecimal (E)WKB, the latter two with the longitude first. Raises Flaw."""
    if isinstance(value, str):
        plain = _PLAIN_POINT.fullmatch(value)
        if plain:
            return _on_the_globe(float(plain[1]), float(plain[2]), value)
        shape = _WKT.fullmatch(value)
        if shape and shape[1].upper() == "POINT":
            return _wkt_points(shape[2], value)[0]
        if _HEX.fullmatch(value.strip()):
            return _wkb_point(bytes.fromhex(value.strip()[: len(value.strip()) // 2 * 2]), value)
    raise Flaw(f"{_shown(value)} is no point; right is 'latitude,longitude'")


def path_of(value: object) -> list[Point]:
    """`lat,lng lat,lng ..` or the WKT of a line. Raises Flaw."""
    if isinstance(value, str):
        shape = _WKT.fullmatch(value)
        if shape:
            return _wkt_points(shape[2], value)
        return [point_of(part) for part in value.split()[:_MOST_POINTS]]
    raise Flaw(f"{_shown(value)} is no path; right are points 'latitude,longitude', one blank between two")


def _text(column: Column, value: object) -> str | None:
    if column.name == "answer":
        text = answer_of(value)
    elif value is None or (isinstance(value, str) and value.strip().lower() in ("none", "null")):
        text = ""
    elif isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Flaw(f"{_shown(value)} is no text")
    else:
        text = str(value)
    if _FORBIDDEN.search(text):
        raise Flaw("it holds a character that no table can hold")
    if column.longest is not None and len(text) > column.longest:
        raise Flaw(f"it has {len(text)} characters; right are {column.longest} at most")
    return None if column.is_nullable and value is None else text


def _whole(column: Column, value: object) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and _WHOLE.fullmatch(value)):
        number = int(value)
    if number is None:
        raise Flaw(f"{_shown(value)} is no whole number")
    least, most = column.least, column.most
    if (least is not None and number < least) or (most is not None and number > most):
        raise Flaw(f"{number} is outside of {least} to {most}")
    return number


def _number(column: Column, value: object) -> Decimal | float:
    try:
        number = Decimal(str(value).strip()) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Flaw(f"{_shown(value)} is no number")
    if column.digits is None or column.places is None:
        as_float = float(number)
        if not math.isfinite(as_float):
            raise Flaw(f"{_shown(value)} is too large")
        return as_float
    if abs(number) >= Decimal(10) ** (column.digits - column.places):
        raise Flaw(f"{_shown(value)} has too many digits; right are {column.digits - column.places} before the point")
    return number.quantize(Decimal(1).scaleb(-column.places))


def _truth(column: Column, value: object) -> bool:
    word = str(value).strip().lower()
    if word not in _WORDS_OF_TRUTH:
        raise Flaw(f"{_shown(value)} is neither true nor false")
    return _WORDS_OF_TRUTH[word]


def _date(column: Column, value: object) -> date:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip()).date()
        except ValueError:
            pass
    raise Flaw(f"{_shown(value)} is no date; right is 'YYYY-MM-DD'")


def _time(column: Column, value: object) -> time:
    if isinstance(value, str):
        try:
            return time.fromisoformat(value.strip()).replace(tzinfo=None)
        except ValueError:
            pass
    raise Flaw(f"{_shown(value)} is no time; right is 'HH:MM:SS'")


def _json(column: Column, value: object) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise Flaw("it is no JSON text") from error
    if not isinstance(value, dict | list):
        raise Flaw(f"{_shown(value)} is no JSON object or list")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:  # 1e999 is read as infinity
        raise Flaw("it holds a number that no JSON can hold, or is nested too deeply") from error
    if _FORBIDDEN.search(text) or "\\u0000" in text:
        raise Flaw("it holds a character that no table can hold")
    return value


def _list(column: Column, value: object) -> list[str]:
    words = words_of(value)
    for word in words:
        if _FORBIDDEN.search(word) or (column.longest is not None and len(word) > column.longest):
            raise Flaw(f"{_shown(word)} is no word of {column.longest} characters at most")
    return words


def _uuid(value: object) -> uuid.UUID:
    try:
        return uuid.UUID(str(value).strip())
    except ValueError as error:
        raise Flaw(f"{_shown(value)} is no uuid") from error


def _wkt_points(inside: str, whole: str) -> list[Point]:
    points = []
    for pair in inside.split(",")[:_MOST_POINTS]:
        numbers = pair.split()
        if len(numbers) not in (2, 3):
            raise Flaw(f"{_shown(whole)} has a point without longitude and latitude")
        try:
            longitude, latitude = float(numbers[0]), float(numbers[1])
        except ValueError as error:
            raise Flaw(f"{_shown(whole)} has a point that is no number") from error
        points.append(_on_the_globe(latitude, longitude, whole))
    return points


def _wkb_point(binary: bytes, whole: str) -> Point:
    """A point of well-known binary: byte order, type (1, perhaps with a flag and an SRID), x, y."""
    order: Any = "little" if binary[0] == 1 else "big"
    kind = int.from_bytes(binary[1:5], order)
    at = 9 if kind & 0x20000000 else 5
    if kind & 0xFFFF != 1 or len(binary) < at + 16:
        raise Flaw(f"{_shown(whole)} is no point; right is 'latitude,longitude'")
    longitude, latitude = struct.unpack(("<" if order == "little" else ">") + "dd", binary[at : at + 16])
    return _on_the_globe(latitude, longitude, whole)


def _on_the_globe(latitude: float, longitude: float, whole: object) -> Point:
    if math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180:
        return latitude, longitude
    raise Flaw(f"{_shown(whole)} is not on the globe")


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _shown(value: object) -> str:
    """A value for an error: short, and never a whole record."""
    return repr(value)[:60]


_READERS: Mapping[str, Callable[[Column, object], Any]] = {
    "whole": _whole,
    "reference": _whole,
    "number": _number,
    "truth": _truth,
    "instant": lambda column, value: instant_of(value),
    "date": _date,
    "time": _time,
    "json": _json,
    "list": _list,
    "uuid": lambda column, value: _uuid(value),
    "point": lambda column, value: point_of(value),
    "path": lambda column, value: path_of(value),
}
