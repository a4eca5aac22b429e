"""What stands in a step's arguments for something that is not known yet: a result, how a step ended, the run's context.

A reference is stored, and the step's own process looks up what it stands for. The value is never copied into arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from youtility_tasks.errors import WrongWorkflow

MARK = "$ref"
"""The key by which a stored reference is known."""


class Kind(StrEnum):
    """What of a step, or of the run."""

    RESULT = "result"
    """What the step's task returned; a signal's payload."""
    RESULTS = "results"
    """Of a fan-out: the results of its items in their order, None for one that did not succeed."""
    STATUS = "status"
    """"succeeded", "failed", "cancelled", "aborted" or "skipped"."""
    ERROR = "error"
    """{"class": ..., "message": ..., "traceback": ...} of a step that failed, else None."""
    CONTEXT = "context"
    """What `start(context=...)` was given."""


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


_MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Reference:
    """`made.result["report"]["id"]`: a way into a value that will be there when the step runs."""

    kind: Kind
    step: str | None = None
    path: tuple[str | int, ...] = ()
    default: Any = _MISSING
    owner: object = field(default=None, compare=False, repr=False)
    """The Workflow whose step it is."""

    def __getitem__(self, key: str | int) -> Reference:
        """A part of it: a key of an object, or a place in a list."""
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise WrongWorkflow(f"{self!r} has parts by text or number; given: {key!r}.")
        return replace(self, path=(*self.path, key))

    def __iter__(self) -> Any:  # or Python would ask for part 0, 1, 2, ... without end
        raise WrongWorkflow(f"{self!r} is not known yet, so nobody can walk through it here. `flow.fan_out` does.")

    def or_else(self, default: Any) -> Reference:
        """The same; and `default` where there is no such result, or not this part of it."""
        return replace(self, default=default)

    def equals(self, value: Any) -> Condition:
        """That it is this JSON value: `when=made.result["status"].equals(201)`."""
        if self.kind is Kind.ERROR:
            raise WrongWorkflow(
                f"A step can be asked how it ended, not for its error: `{self.step}.status.equals('failed')`."
            )
        return Condition(self, value)

    @property
    def has_default(self) -> bool:
        """Whether it says what stands for a value that is not there."""
        return not isinstance(self.default, _Missing)

    def as_json(self) -> dict[str, Any]:
        """How it is stored."""
        stored: dict[str, Any] = {MARK: self.kind.value, "path": list(self.path)}
        if self.step is not None:
            stored["step"] = self.step
        if self.has_default:
            stored["default"] = self.default
        return stored


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold when a step's turn comes, or it is skipped."""

    reference: Reference
    value: Any

    def as_json(self) -> dict[str, Any]:
        """How it is stored."""
        return {**self.reference.as_json(), "equals": self.value}


def condition_from_json(stored: Mapping[str, Any], owner: object = None) -> Condition:
    """The condition that `as_json` stored. Raises WrongWorkflow for what is none."""
    if "equals" not in stored:
        raise WrongWorkflow(f"{dict(stored)!r:.200} is no condition; right is a reference with 'equals': value.")
    return from_json({key: each for key, each in stored.items() if key != "equals"}, owner).equals(stored["equals"])


def is_stored(value: object) -> bool:
    """Whether this is what a stored reference looks like."""
    return isinstance(value, Mapping) and MARK in value


def from_json(stored: Mapping[str, Any], owner: object = None) -> Reference:
    """The reference that `as_json` stored. Raises WrongWorkflow for what is none."""
    path, step = stored.get("path", []), stored.get("step")
    known = {MARK, "path", "step", "default"}
    try:
        kind = Kind(stored[MARK])
    except (KeyError, ValueError):
        kind = None
    if (
        kind is None
        or not stored.keys() <= known
        or not isinstance(path, list)
        or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in path)
        or not isinstance(step, str | None)
        or (step is None) != (kind is Kind.CONTEXT)
    ):
        kinds = ", ".join(each.value for each in Kind)
        raise WrongWorkflow(
            f"{dict(stored)!r:.200} is no reference; right is {{'{MARK}': {kinds}, 'step': name (none for context), "
            "'path': [keys], 'default': value}."
        )
    return Reference(kind, step, tuple(path), stored.get("default", _MISSING), owner)
