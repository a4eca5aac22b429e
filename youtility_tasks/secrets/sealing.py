"""Seals the marked arguments of a call, opens those of a job, and shows either with the values hidden.

A sealed value is `{"$sealed": "secret", "key": "<key id>", "value": "<base64>"}`, AES-256-GCM over its JSON. What is
authenticated with it is its place: key, mark, tenant, task and argument, so that it opens nowhere else. None is stored as
it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from youtility_tasks import payload
from youtility_tasks.errors import BrokenSecret, EnqueueError, SecretInKey, WrongArguments

from . import keyring
from .marks import Mark, Marks
from .scrubbing import Scrubber

TAG = "$sealed"
_FORM = {TAG, "key", "value"}


@dataclass(frozen=True, slots=True)
class Place:
    """Whose arguments they are, as the job's row says it: its own task name, also if that is an alias by now."""

    tenant_id: int
    task_name: str
    marks: Marks
    verbatim: bool = False
    """Stored as `{"args": [...], "kwargs": {...}}`."""


@dataclass(frozen=True, slots=True)
class SealedCall:
    """The arguments of one call, ready for its row."""

    text: str
    """What is stored, as JSON."""
    shown: dict[str, Any]
    """What everybody else is shown."""
    scrubber: Scrubber

    def refuse_in_key(self, task_name: str, **keys: str | None) -> None:
        """Raises SecretInKey for a lock or key that holds a marked value in clear: it is a column."""
        for kind, key in keys.items():
            mark = self.scrubber.shows(key) if isinstance(key, str) else None
            if mark is not None:
                raise SecretInKey(task_name, kind, mark)


@dataclass(frozen=True, slots=True)
class OpenedCall:
    """The arguments of one job, for the one who runs it."""

    stored: dict[str, Any] = field(repr=False)
    """In clear."""
    shown: dict[str, Any]
    scrubber: Scrubber


def is_sealed(value: Any) -> bool:
    """Whether this is what a sealed value looks like."""
    return (
        type(value) is dict
        and TAG in value
        and value.keys() == _FORM
        and all(isinstance(each, str) for each in value.values())
    )


def seal(place: Place, stored: dict[str, Any], *, max_bytes: int, max_depth: int) -> SealedCall:
    """Check the arguments of a call and seal the marked ones. One that is already sealed for this very place stays as it is.

    Raises NotJson, TooDeep or TooLarge, without a word of a marked value; WrongArguments for the mark that stands for
    a hidden value, or for what was sealed elsewhere.
    """
    what = f"Task {place.task_name!r}"
    scrubber, key = Scrubber(), keyring.current()

    def keep(argument: str, mark: Mark | None, value: Any) -> Any:
        if mark is None or value is None:
            return value
        if value == mark.shown:
            raise WrongArguments(
                f"{what}: argument {argument!r} is {value!r}, which stands for a hidden value. Pass the value itself."
            )
        if is_sealed(value):
            scrubber.learn(_open_given(place, argument, value), mark)
            return value
        text = _checked(what, argument, mark, value, max_bytes=max_bytes, max_depth=max_depth)
        scrubber.learn(value, mark)
        return _sealed(key, mark.value, text, place, argument)

    sealed = _each(place, stored, keep)
    text = payload.check(what, sealed, max_bytes=max_bytes, max_depth=max_depth)
    return SealedCall(text, _each(place, stored, _hidden), scrubber)


def digests(place: Place, stored: dict[str, Any]) -> dict[str, Any]:
    """What locks are made of: the arguments of a call, with a digest in the place of each marked value."""
    key = keyring.current()

    def digest(argument: str, mark: Mark | None, value: Any) -> Any:
        if mark is None or value is None:
            return value
        return key.digest(place.tenant_id, _open_given(place, argument, value) if is_sealed(value) else value)

    return _each(place, stored, digest)


def holds_sealed(stored: dict[str, Any], *, verbatim: bool = False) -> bool:
    """Whether any of these arguments is sealed."""
    if verbatim:
        values = [*stored.get("args", []), *stored.get("kwargs", {}).values()]
        return any(is_sealed(value) for value in values)
    # A loop and not `any`: a generator costs more than all that it looks at.
    for value in stored.values():  # noqa: SIM110
        if type(value) is dict and TAG in value and is_sealed(value):
            return True
    return False


def unseal(place: Place, stored: dict[str, Any]) -> OpenedCall:
    """The arguments in clear, sealed ones whatever the signature says of them by now.

    Raises UnknownSecretKey (another attempt may find the key), BrokenSecret.
    """
    scrubber = Scrubber()

    def in_clear(argument: str, mark: Mark | None, value: Any) -> Any:
        if is_sealed(value):
            plain = _open(place, argument, value)
            scrubber.learn(plain, mark or _mark(value))
            return plain
        if mark is not None:  # enqueued before it was marked, or by procrastinate itself
            scrubber.learn(value, mark)
        return value

    return OpenedCall(_each(place, stored, in_clear), _each(place, stored, _hidden), scrubber)


def redact(stored: Any, marks: Marks | None = None, *, verbatim: bool = False) -> Any:
    """Stored arguments as they may be shown: the mark in the place of each sealed value, and of each marked one in clear."""
    if marks and isinstance(stored, dict):
        stored = _each(Place(0, "", marks, verbatim), stored, _hidden)
    if is_sealed(stored):
        return _mark(stored).shown
    if isinstance(stored, dict):
        return {name: redact(value) for name, value in stored.items()}
    if isinstance(stored, list):
        return [redact(value) for value in stored]
    return stored


def with_pii(place: Place, stored: dict[str, Any]) -> dict[str, Any]:
    """Stored arguments for one who may read payloads: what is marked `Pii` in clear, what is marked `Secret` hidden.

    A value that was sealed under one mark and has another by now goes by the stricter one. Raises UnknownSecretKey, BrokenSecret.
    """

    def one(argument: str, mark: Mark | None, value: Any) -> Any:
        marks = {mark, _mark(value) if is_sealed(value) else None}
        if Mark.SECRET in marks or Mark.PII not in marks:
            return _hidden(argument, mark, value)
        return _open(place, argument, value) if is_sealed(value) else value

    return _each(place, stored, one)


def keep_hidden(edited: dict[str, Any], stored: dict[str, Any], *, verbatim: bool = False) -> dict[str, Any]:
    """Arguments that a person has edited, who saw marks in the place of hidden values: where a mark still stands, what was
    stored stands again. For a call of the same task and tenant; new values are sealed by `seal`."""
    if verbatim:
        before_args, before_kwargs = stored.get("args", []), stored.get("kwargs", {})
        args = [
            _kept(value, before_args[n] if n < len(before_args) else None)
            for n, value in enumerate(edited.get("args", []))
        ]
        return {**edited, "args": args, "kwargs": keep_hidden(edited.get("kwargs", {}), before_kwargs)}
    return {name: _kept(value, stored.get(name)) for name, value in edited.items()}


def reseal(place: Place, stored: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The same arguments under the present key, and old digest -> new one for the locks that were made of them.

    Raises UnknownSecretKey, BrokenSecret.
    """
    key, moved = keyring.current(), {}

    def again(argument: str, _: Mark | None, value: Any) -> Any:
        if not is_sealed(value) or value["key"] == key.key_id:
            return value
        plain = _open(place, argument, value)
        old = keyring.get(value["key"]).digest(place.tenant_id, plain)
        moved[old] = key.digest(place.tenant_id, plain)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        return _sealed(key, value[TAG], text, place, argument)

    return _each(place, stored, again), moved


# -- inside


def _each(place: Place, stored: dict[str, Any], change: Callable[[str, Mark | None, Any], Any]) -> dict[str, Any]:
    """The stored arguments with each one changed; the name of one given by position is `#0`."""
    marks = place.marks
    if not place.verbatim:
        return {name: change(name, marks.of(name), value) for name, value in stored.items()}
    return {
        **stored,
        "args": [change(f"#{n}", marks.at(n), value) for n, value in enumerate(stored.get("args", []))],
        "kwargs": {name: change(name, marks.of(name), value) for name, value in stored.get("kwargs", {}).items()},
    }


def _hidden(argument: str, mark: Mark | None, value: Any) -> Any:
    if is_sealed(value):
        return (mark or _mark(value)).shown
    return value if mark is None or value is None else mark.shown


def _kept(edited: Any, before: Any) -> Any:
    return before if is_sealed(before) and edited in {mark.shown for mark in Mark} else edited


def _checked(what: str, argument: str, mark: Mark, value: Any, *, max_bytes: int, max_depth: int) -> str:
    """The JSON of a marked value; of one that will not do it says no more than that."""
    try:
        return payload.check(what, value, max_bytes=max_bytes, max_depth=max_depth)
    except EnqueueError as error:
        refused = type(error)(
            f"{what}: argument {argument!r}, marked {mark!r}, cannot be stored ({_FLAWS.get(type(error).__name__, '')}); "
            "its value is not shown."
        )
    raise refused  # here, so that the error with the value in its text is not its context


def _sealed(key: keyring.Key, mark: str, text: str, place: Place, argument: str) -> dict[str, str]:
    sealed = key.seal(text.encode(), _aad(key.key_id, mark, place, argument))
    return {TAG: mark, "key": key.key_id, "value": sealed}


_FLAWS = {
    "NotJson": "it is, or holds, what JSON or PostgreSQL cannot carry",
    "TooDeep": "it is nested too deep",
    "TooLarge": "it is too large; store the data in a table or a blob and pass its id",
}


def _open_given(place: Place, argument: str, value: dict[str, str]) -> Any:
    try:
        return _open(place, argument, value)
    except BrokenSecret as error:
        raise WrongArguments(str(error)) from None


def _open(place: Place, argument: str, value: dict[str, str]) -> Any:
    key = keyring.get(value["key"])
    try:
        return json.loads(key.open(value["value"], _aad(key.key_id, value[TAG], place, argument)))
    except keyring.BrokenSeal:
        raise BrokenSecret(place.task_name, argument, place.tenant_id, key.key_id) from None


def _aad(key_id: str, mark: str, place: Place, argument: str) -> bytes:
    # As JSON, so that no part can run into the next.
    return json.dumps(["youtility-tasks 1", key_id, mark, place.tenant_id, place.task_name, argument]).encode()


def _mark(value: dict[str, str]) -> Mark:
    return Mark.PII if value[TAG] == Mark.PII.value else Mark.SECRET
