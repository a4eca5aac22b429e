"""How often a task is tried, and how long each attempt waits."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from .errors import ConfigurationError

_LONGEST_WAIT_S = 366 * 86_400.0
"""A growing wait without a cap ends here; much later is an instant that PostgreSQL cannot store."""

_SPREADS = {"equal": (0.5, 1.0), "full": (0.0, 1.0)}
"""Name of a jitter -> the least and the most of the wait."""

_jitter = random.SystemRandom()  # reads the kernel, so forked children do not share a sequence


def is_number(value: object, *, least: float, whole: bool = False) -> bool:
    """Whether it is a finite number of at least so much; True and False are none."""
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and least <= value < float("inf")


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `max_attempts` runs; before run k + 1 a wait of min(cap, base * factor ** (k - 1)) seconds, give or take its jitter.

    catalog.md 2.0, `R(n, base, factor, cap)`. The jitter keeps jobs that failed together from returning together.
    """

    max_attempts: int
    base: float = 0
    factor: float = 1
    cap: float | None = None
    jitter: float | Literal["equal", "full"] = 0.1
    """A share of the wait, from 0 to 1: 0.1 is +-10 %. Where very many fail at once, and what they wait for must come up again under
    them: "equal" waits from half of it to all of it, "full" from nothing to all of it."""

    def __post_init__(self) -> None:
        if not (
            is_number(self.max_attempts, whole=True, least=1)
            and is_number(self.base, least=0)
            and is_number(self.factor, least=1)
            and (self.cap is None or is_number(self.cap, least=0))
            and self._is_jitter()
        ):
            raise ConfigurationError(
                f"{self!r}: right is max_attempts >= 1, base >= 0 s, factor >= 1, cap >= 0 s or None, and jitter from 0 to 1, "
                "'equal' or 'full'."
            )

    def _is_jitter(self) -> bool:
        if isinstance(self.jitter, str):
            return self.jitter in _SPREADS
        return is_number(self.jitter, least=0) and self.jitter <= 1

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait after run number `attempt` failed, without jitter."""
        longest = _LONGEST_WAIT_S if self.cap is None else min(self.cap, _LONGEST_WAIT_S)
        try:
            return min(longest, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            return longest

    def jittered_delay_s(self, attempt: int) -> float:
        """Seconds to wait after run number `attempt` failed, drawn from what `jitter` says."""
        least, most = _SPREADS[self.jitter] if isinstance(self.jitter, str) else (1 - self.jitter, 1 + self.jitter)
        return self.delay_s(attempt) * _jitter.uniform(least, most)


ONCE = Retry(1)
"""No second attempt."""
