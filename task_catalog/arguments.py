"""The decorator of the catalogue's tasks: as `youtility_tasks.task`, and what a job is given must be of the declared types."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from youtility_tasks import BadInput, Task
from youtility_tasks import task as declare

_ID_OF: Mapping[str, str] = {
    "id": "ticket",
    "jobid": "PPM plan",
    "jobneedid": "occurrence",
    "peopleid": "person",
    "womid": "work permit",
    "wom_id": "work permit",
    "qsetid": "question set",
    "slaid": "vendor score",
    "client_id": "client",
    "bu_id": "site",
    "user_id": "user",
    "userid": "user",
    "buid": "site",
}
"""Parameters that hold ids, and of what."""
_MEANT: Mapping[tuple[str, str], str] = {
    ("alert_sendmail", "id"): "the id of an occurrence",
    ("send_email_notification_for_sla_vendor", "wom_id"): "the uuid of a vendor score, as text",
    ("cleanup_reports_which_are_12hrs_old", "dir_path"): "a configured report folder",
    ("cleanup_reports_which_are_12hrs_old", "hours_old"): "a whole number of hours from 1 to 876000",
    ("create_job", "jobids"): "a list of plan ids, or nothing",
    ("insert_json_records_async", "records"): "a list with at least one record",
    ("send_generated_report_onfly_email", "to"): "a list of e-mail addresses",
    ("send_generated_report_onfly_email", "cc"): "a list of e-mail addresses, or nothing",
    **{
        (f"send_email_notification_for_{step}", codes): "a list of people codes, or nothing"
        for step, codes in (
            ("workpermit_approval", "approvers_code"),
            ("wp_verifier", "verifiers"),
            ("wp_from_mobile_for_verifier", "verifiers"),
            ("wp", "approvers"),
        )
    },
}
"""What is right where the type alone says too little."""
_LARGEST = 2**63 - 1
_BOUNDS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(_ID_OF, (1, _LARGEST)),
    "ctzoffset": (-24 * 60, 24 * 60),
    "level": (0, 2**31 - 1),
    "timestamp": (0, 253_402_300_799),
    "retention_days": (0, 36_500),
    "skip_days": (0, 36_500),
    "limit": (1, 2**31 - 1),
    "hours_old": (1, 876_000),
}
"""Name of a parameter -> the smallest and the largest whole number that can be meant."""
_ADDRESSES = frozenset({"to", "cc"})
"""Lists that may have gaps: a recipient without an address is left out, with a warning."""
_WORDS: Mapping[Any, str] = {bool: "true or false", dict: "an object", float: "a number", str: "text"}


def task(**options: Any) -> Callable[[Callable[..., Any]], Task]:
    """Declare a task of the catalogue. Its job fails at once, as BadInput, when an argument is not of its declared type."""

    def of(function: Callable[..., Any]) -> Task:
        name = options.get("name") or function.__name__

        @functools.wraps(function)
        def checked(*context: Any, **arguments: Any) -> Any:
            check(name, _declared(function), arguments)
            return function(*context, **arguments)

        return declare(**options)(checked)

    return of


def check(name: str, declared: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raises BadInput for the first argument that is not what its annotation says, with what would be right."""
    for argument, value in arguments.items():
        if argument not in declared:
            continue
        kinds = _members(declared[argument])
        if not any(_fits(kind, argument, value) for kind in kinds):
            right = _MEANT.get((name, argument)) or " or ".join(_shown(kind, argument) for kind in kinds)
            raise BadInput(f"{name}: {argument} is {_short(value)}; right is {right}. Nothing was done.")


@functools.cache
def _declared(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function)
    taken = inspect.signature(function).parameters.values()
    return {each.name: hints[each.name] for each in taken if each.kind is each.KEYWORD_ONLY}


def _members(annotation: Any) -> tuple[Any, ...]:
    """What may be given: of `int | None` both."""
    return typing.get_args(annotation) if typing.get_origin(annotation) not in (None, list, dict) else (annotation,)


def _fits(kind: Any, argument: str, value: Any) -> bool:
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    members = _members(kind)
    if members != (kind,):
        return any(_fits(each, argument, value) for each in members)
    origin, inside = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is list:
        if not isinstance(value, list | tuple):
            return False
        gaps = (type(None),) if argument in _ADDRESSES else ()
        return all(any(_fits(each, "", item) for each in (*inside[:1], *gaps)) for item in value) if inside else True
    if origin is int:
        lowest, highest = _BOUNDS.get(argument, (-_LARGEST - 1, _LARGEST))
        return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
    return isinstance(value, origin)


def _shown(kind: Any, argument: str) -> str:
    if kind is None or kind is type(None):
        return "nothing"
    members = _members(kind)
    if members != (kind,):
        return " or ".join(_shown(each, argument) for each in members)
    origin, inside = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is list:
        return f"a list, each item {_shown(inside[0], '')}" if inside and inside[0] is not Any else "a list"
    if origin is int:
        lowest, highest = _BOUNDS.get(argument, (-_LARGEST - 1, _LARGEST))
        if argument in _ID_OF:
            return f"the id of a {_ID_OF[argument]}"
        return f"a whole number from {lowest} to {highest}" if argument in _BOUNDS else "a whole number"
    return _WORDS.get(origin, str(origin))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
