"""procrastinate's tasks in our terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import procrastinate
import pytest
from procrastinate.contrib.django import app

from youtility_tasks.workers import adopted


def nothing() -> None:
    """A task's function."""


@pytest.fixture
def declared() -> Iterator[Callable[..., Any]]:
    """`declared(name, **options)`: a task of procrastinate's for the length of one test."""
    names = []

    def declare(name: str, **options: Any) -> Any:
        names.append(name)
        return app.task(name=name, **options)(nothing)

    yield declare
    for name in names:
        app.tasks.pop(name, None)


@pytest.mark.parametrize(
    ("strategy", "runs", "waits_s"),
    [
        (None, 1, []),
        (3, 4, [0, 0, 0]),
        (procrastinate.RetryStrategy(max_attempts=3, wait=5), 4, [5, 5, 5]),
        (procrastinate.RetryStrategy(max_attempts=3, linear_wait=3), 4, [0, 3, 6]),
        (procrastinate.RetryStrategy(max_attempts=3, exponential_wait=3), 4, [3, 9, 27]),
    ],
)
def test_a_strategy_waits_as_its_documentation_says(
    declared: Callable[..., Any], strategy: Any, runs: int, waits_s: list[float]
) -> None:
    retry = adopted.adopt(declared("waits_like_that", retry=strategy or False)).retry

    assert retry.max_attempts == runs
    assert [retry.jittered_delay_s(attempt) for attempt in range(1, runs)] == waits_s


def test_a_wait_that_grows_beyond_all_bounds_stays_an_instant_that_can_be_stored(declared: Callable[..., Any]) -> None:
    retry = adopted.adopt(declared("grows", retry=procrastinate.RetryStrategy(exponential_wait=9))).retry

    assert retry.delay_s(10_000) == retry.delay_s(50) < 400 * 86_400


def test_a_name_that_django_refuses_is_unknown_and_ends_no_worker(
    declared: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    declared("two\nlines")

    assert adopted.find("two\nlines") is None
    assert "cannot be run here" in caplog.text
