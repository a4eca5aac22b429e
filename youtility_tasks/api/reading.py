"""Reads what a request says: a body of JSON, and words behind the question mark; each of a declared model."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, TypeVar, get_args, get_origin

from django.http import HttpRequest
from pydantic import BaseModel, ValidationError

from youtility_tasks.conf import settings
from youtility_tasks.problems import Problem

Model = TypeVar("Model", bound=BaseModel)
LONGEST_KEY = 255
_MOST_ERRORS = 20


def query(request: HttpRequest, model: type[Model]) -> Model:
    """The words behind the question mark. Raises Problem 422 for one that is not known, is given twice, or cannot be meant."""
    given: dict[str, Any] = {}
    for name, values in request.GET.lists():
        declared = model.model_fields.get(name)
        is_list = declared is not None and _is_list(declared.annotation)
        if not is_list and len(values) > 1:
            raise _wrong([{"at": f"query.{name}", "detail": f"It is given {len(values)} times; right is once."}])
        given[name] = values if is_list else values[0]
    for name, value in given.items():
        for text in (name, *(value if isinstance(value, list) else [value])):
            _check_text(text, f"query.{name[:40]}")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _wrong(_places(error, "query")) from None


def body(request: HttpRequest, model: type[Model]) -> Model:
    """The body. Raises Problem: 413 too large, 415 no JSON by its name, 400 none in truth, 422 not what is asked for."""
    raw = _raw(request)
    if not raw.strip():
        raw = b"{}"
    elif request.content_type != "application/json":
        raise Problem(
            415, "wrong-content-type", "Wrong content type",
            f"The body is {(request.content_type or 'of no type')[:80]!r}; right is application/json.",
        )  # fmt: skip
    try:
        text = raw.decode("utf-8")
        found = json.loads(
            text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole, object_pairs_hook=_once
        )
    except (ValueError, RecursionError) as error:
        said = "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
        raise Problem(400, "not-json", "Not JSON", f"The body is not JSON: {said}.") from None
    if not isinstance(found, dict):
        raise Problem(
            422, "wrong-value", "Wrong value", f"The body is a JSON {type(found).__name__}; right is an object."
        )
    try:
        _check_texts(found)
        # Strictly: 7 is no "7", and true is no 1; but instants and words of a list are text in JSON.
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        if any(each["type"] == "json_invalid" for each in error.errors(include_url=False, include_input=False)):
            raise Problem(400, "not-json", "Not JSON", "The body is nested too deep.") from None
        raise _wrong(_places(error, "body")) from None
    except RecursionError:
        raise Problem(400, "not-json", "Not JSON", "The body is nested too deep.") from None


def key(request: HttpRequest) -> str | None:
    """The header Idempotency-Key, if there is one. Raises Problem 422."""
    given = request.headers.get("Idempotency-Key")
    if given is not None and not (0 < len(given) <= LONGEST_KEY and given.isascii() and given.isprintable()):
        raise _wrong(
            [{"at": "header.Idempotency-Key", "detail": f"Right are 1 to {LONGEST_KEY} printable characters."}]
        )
    return given


def _raw(request: HttpRequest) -> bytes:
    most = settings().api_max_body_bytes
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length[:18]) > most:
        _too_large(most)
    raw: bytes = request.read(most + 1)
    if len(raw) > most:
        _too_large(most)
    return raw


def _too_large(most: int) -> NoReturn:
    raise Problem(413, "too-large", "Too large", f"The body is larger than {most} bytes (api_max_body_bytes).")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _whole(text: str) -> int:
    if len(text) > 1_000:
        raise ValueError(f"{text[:20]}... is a number of {len(text)} digits")
    return int(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:80]!r} is given twice")
    return found


def _check_texts(value: Any, at: str = "body") -> None:
    match value:
        case str():
            _check_text(value, at)
        case dict():
            for name, each in value.items():
                _check_text(name, at)
                _check_texts(each, f"{at}.{name[:40]}" if len(at) < 200 else at)
        case list():
            for n, each in enumerate(value):
                _check_texts(each, f"{at}.{n}" if len(at) < 200 else at)


def _check_text(text: str, at: str) -> None:
    if "\x00" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise _wrong([{"at": at.replace("\x00", "?").encode(errors="replace").decode(), "detail": "It has a NUL or a lone surrogate, which no column can hold."}])  # fmt: skip


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(get_origin(each) is list for each in get_args(annotation))


def _places(error: ValidationError, root: str) -> list[dict[str, str]]:
    return [
        {
            "at": ".".join([root, *(str(part)[:80] for part in each["loc"])]),
            "detail": each["msg"].removeprefix("Value error, "),
        }
        for each in error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_ERRORS]
    ]


def _wrong(places: list[dict[str, str]]) -> Problem:
    detail = "; ".join(f"{each['at']}: {each['detail']}" for each in places[:5])
    return Problem(422, "wrong-value", "Wrong value", detail, places=places)
