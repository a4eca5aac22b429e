"""The face check: which side of a punch, which verdict, which shift (R-FACE)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import Any, Literal

Side = Literal["in", "out"]
SIDES: tuple[Side, Side] = ("in", "out")

ATTENDANCE = frozenset({"SELF", "SELFATTENDANCE", "MARK", "MARKATTENDANCE"})
"""Kinds of events whose photos are looked at."""

_PLACEHOLDER = "blank.png"
_MINUTES_A_DAY = 24 * 60


class Outcome(StrEnum):
    """What came of a look at a punch's photo; none of them is a failure of the task (D36)."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NO_REFERENCE = "no_reference"
    NO_FACE = "no_face"
    NO_PICTURE = "no_picture"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and the distance of the two faces where it was measured."""

    outcome: Outcome
    distance: float | None = None

    @property
    def is_verified(self) -> bool:
        return self.outcome is Outcome.MATCH


def verdict_of(distance: float, *, threshold: float) -> Verdict:
    """The verdict of a distance; at the threshold it is still the same person."""
    return Verdict(Outcome.MATCH if distance <= threshold else Outcome.MISMATCH, distance)


def is_checked(extras: Mapping[str, Any], side: Side) -> bool:
    """Whether somebody has looked at that side's photo: a photo without a face has no distance, but a status."""
    return extras.get(f"distance_{side}") is not None or bool(extras.get(f"fr_status_{side}"))


def side_to_check(*, punched_in: bool, punched_out: bool, extras: Mapping[str, Any]) -> Side | None:
    """The side whose photo is to be looked at: in, then out; None when there is nothing to do."""
    if punched_in and not is_checked(extras, "in"):
        return "in"
    if punched_out and not is_checked(extras, "out"):
        return "out"
    return None


def extras_after(
    extras: Mapping[str, Any], side: Side, verdict: Verdict, *, threshold: float, model: str, metric: str
) -> dict[str, Any]:
    """`peventlogextras` after a look: the verdict beside what decided it (D35)."""
    return {
        **extras,
        f"verified_{side}": verdict.is_verified,
        f"distance_{side}": verdict.distance,
        f"fr_status_{side}": verdict.outcome.value,
        "threshold": threshold,
        "model": model,
        "similarity_metric": metric,
    }


def has_photo(path: str | None) -> bool:
    """Whether a person has a profile photo: not the placeholder, and a file's name rather than an address (D36)."""
    return bool(path) and not str(path).endswith(_PLACEHOLDER) and "://" not in str(path)


def nearest_shift(at: time, shifts: Iterable[tuple[int, time]]) -> int | None:
    """The shift whose start is nearest to a wall clock time, around midnight too (D37); None when there is no shift.

    `shifts` are ids with their starts. Of two equally near ones, the one with the smaller id.
    """
    ranked = sorted((_apart(at, start), shift_id) for shift_id, start in shifts)
    return ranked[0][1] if ranked else None


def _apart(one: time, other: time) -> float:
    """Minutes between two times on the face of a 24 hour clock."""
    apart = abs(_minutes(one) - _minutes(other))
    return min(apart, _MINUTES_A_DAY - apart)


def _minutes(at: time) -> float:
    return at.hour * 60 + at.minute + at.second / 60
