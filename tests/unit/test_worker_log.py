"""What a worker leaves out of its log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from youtility_tasks.management.commands import run_postgresql_worker as command

DJANGOS = ("django_tasks", "django.tasks")


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """As they were, afterwards."""
    before = {name: logging.getLogger(name).level for name in DJANGOS}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("name", DJANGOS)
def test_djangos_lines_of_each_start_and_end_are_left_out_and_its_errors_are_not(name: str) -> None:
    logging.getLogger(name).setLevel(logging.NOTSET)

    command._log_to_stderr(as_json=False)

    assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    assert logging.getLogger(name).isEnabledFor(logging.ERROR)


@pytest.mark.parametrize("name", DJANGOS)
def test_a_project_that_asks_for_these_lines_has_them(name: str) -> None:
    logging.getLogger(name).setLevel(logging.INFO)

    command._log_to_stderr(as_json=False)

    assert logging.getLogger(name).isEnabledFor(logging.INFO)
