"""What each queue promises (its service level objective): started within, finished within, and how many succeed.

Said once: pages colour by it, and alert rules are made from it. `YOUTILITY_TASKS["objectives"]` changes one queue's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from . import queues
from .conf import settings
from .errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """Of one queue, over 30 days."""

    start_within_s: float
    """From the moment a job is due until it begins."""
    finish_within_s: float
    """From the moment a job is due until it has ended, attempts after the first included."""
    success_share: float
    """Of the jobs that end: so many, of one, succeed."""
    on_time_share: float = 0.99
    """Of the jobs: so many, of one, start and finish in time."""


_OTHERS = Objective(start_within_s=300, finish_within_s=3_600, success_share=0.98)
DEFAULTS: Mapping[str, Objective] = {
    queues.HIGH_PRIORITY: Objective(start_within_s=10, finish_within_s=300, success_share=0.995),
    queues.EMAIL: Objective(start_within_s=60, finish_within_s=600, success_share=0.99),
    queues.REPORTS: Objective(start_within_s=300, finish_within_s=1_800, success_share=0.98),
    queues.MAINTENANCE: Objective(start_within_s=900, finish_within_s=7_200, success_share=0.98),
}
_SHARES = {"success_share", "on_time_share"}


def of_queue(queue_name: str) -> Objective:
    """What this queue promises. Raises ConfigurationError as `all_of_them`."""
    return all_of_them().get(queue_name, _OTHERS)


def all_of_them() -> dict[str, Objective]:
    """What each configured queue promises, by name.

    Raises ConfigurationError for a queue that is not configured, or a number that promises nothing.
    """
    known = {name: DEFAULTS.get(name, _OTHERS) for name in queues.configured()}
    for name, given in (settings().objectives or {}).items():
        if name not in known:
            raise ConfigurationError(
                f"YOUTILITY_TASKS['objectives'] names the queue {name!r}; configured: {', '.join(sorted(known))}."
            )
        known[name] = _changed(name, known[name], given)
    return known


def _changed(name: str, objective: Objective, given: object) -> Objective:
    right = {field.name for field in fields(Objective)}
    if not isinstance(given, Mapping) or not set(given) <= right:
        raise ConfigurationError(
            f"YOUTILITY_TASKS['objectives'][{name!r}] is {given!r}; right is a dict of {', '.join(sorted(right))}."
        )
    for word, number in given.items():
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not 0 < number <= (0.999_999 if word in _SHARES else 86_400 * 365):
            says = "a share below 1, such as 0.99" if word in _SHARES else "seconds above 0"
            raise ConfigurationError(
                f"YOUTILITY_TASKS['objectives'][{name!r}][{word!r}] is {number!r}; right is {says}."
            )
    changed = replace(objective, **given)
    if changed.finish_within_s <= changed.start_within_s:
        raise ConfigurationError(
            f"YOUTILITY_TASKS['objectives'][{name!r}] would finish within {changed.finish_within_s:g} s and start within "
            f"{changed.start_within_s:g} s; right is finish_within_s above start_within_s."
        )
    return changed
