"""How long a task waits between its attempts: min(cap, base * factor ** (k - 1)) seconds, +-10 %."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks import Retry
from youtility_tasks import retry as room
from youtility_tasks.errors import ConfigurationError


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (Retry(3), [0, 0, 0]),
        (Retry(6, base=300), [300, 300, 300]),
        (Retry(5, base=60, factor=2, cap=900), [60, 120, 240, 480, 900, 900]),
        (Retry(4, base=10, factor=3), [10, 30, 90, 270]),
        (Retry(4, base=1_000, factor=2, cap=600), [600, 600]),
        (Retry(4, base=60, cap=0), [0, 0]),
    ],
    ids=repr,
)
def test_the_wait_grows_by_its_factor_up_to_its_cap(retry: Retry, waits: list[float]) -> None:
    assert [retry.delay_s(k) for k in range(1, len(waits) + 1)] == waits


@given(
    base=st.floats(0, 10_000),
    factor=st.floats(1, 1_000),
    cap=st.none() | st.floats(0, 100_000),
    attempt=st.integers(1, 10_000),
)
def test_the_jitter_stays_within_ten_percent_and_every_wait_is_one_that_a_timestamp_can_take(
    base: float, factor: float, cap: float | None, attempt: int
) -> None:
    retry = Retry(10_000, base=base, factor=factor, cap=cap)

    plain, jittered = retry.delay_s(attempt), retry.jittered_delay_s(attempt)

    assert 0 <= plain <= 366 * 86_400
    assert cap is None or plain <= cap
    assert 0.9 * plain <= jittered <= 1.1 * plain


def test_the_jitter_keeps_jobs_that_failed_together_apart() -> None:
    waits = {Retry(2, base=100).jittered_delay_s(1) for _ in range(50)}

    assert len(waits) > 40
    assert max(waits) - min(waits) > 5


@pytest.mark.parametrize(
    ("jitter", "least", "most"),
    [(0.1, 90, 110), (0, 100, 100), (1, 0, 200), (0.5, 50, 150), ("equal", 50, 100), ("full", 0, 100)],
)
def test_the_jitter_is_what_was_declared(
    jitter: Any, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_jitter", random.Random(7))  # noqa: S311 - what it draws is known, that is the point
    retry = Retry(3, base=50, factor=2, jitter=jitter)

    waits = [retry.jittered_delay_s(2) for _ in range(400)]

    assert least <= min(waits) <= max(waits) <= most
    assert max(waits) - min(waits) >= 0.95 * (most - least), "the whole span is used"
    assert len(set(waits)) == (400 if most > least else 1)


def test_unless_something_else_is_declared_the_jitter_is_ten_percent() -> None:
    assert Retry(3).jitter == 0.1


@pytest.mark.parametrize("jitter", [-0.1, 1.1, "none", "", None, True, [], math.nan], ids=repr)
def test_a_jitter_that_cannot_be_is_refused(jitter: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"jitter from 0 to 1, 'equal' or 'full'"):
        Retry(3, jitter=jitter)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": -1},
        {"max_attempts": 2.5},
        {"max_attempts": "3"},
        {"max_attempts": True},
        {"max_attempts": 3, "base": -1},
        {"max_attempts": 3, "base": math.nan},
        {"max_attempts": 3, "base": math.inf},
        {"max_attempts": 3, "base": "60"},
        {"max_attempts": 3, "factor": 0.5},
        {"max_attempts": 3, "factor": math.nan},
        {"max_attempts": 3, "factor": math.inf},
        {"max_attempts": 3, "cap": -1},
        {"max_attempts": 3, "cap": math.nan},
    ],
    ids=repr,
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Retry\(.*right is max_attempts >= 1"):
        Retry(**wrong)
