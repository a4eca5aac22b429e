"""Workflows on the desk of a worker: its statements are sent, and its children are played by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.conftest import acme, committed, desk, other_desk, other_tenant
from tests.workflows.play import Play
from youtility_tasks import Retry, Task

__all__ = ["acme", "committed", "desk", "other_desk", "other_tenant"]


def make(*, n: int = 0, of: Any = None) -> Any:
    return {"n": n, "of": of}


def mail(*, n: int = 0, to: Any = None, report: Any = None) -> Any:
    return to


def tidy(*, n: int = 0, status: str = "", error: Any = None) -> Any:
    return status


def visit(*, site: int, round: int = 0) -> int:
    return site


@pytest.fixture
def make_task(declare: Callable[..., Task]) -> Task:
    return declare(make, retry=Retry(2))


@pytest.fixture
def mail_task(declare: Callable[..., Task]) -> Task:
    return declare(mail)


@pytest.fixture
def tidy_task(declare: Callable[..., Task]) -> Task:
    return declare(tidy)


@pytest.fixture
def visit_task(declare: Callable[..., Task]) -> Task:
    return declare(visit)


@pytest.fixture
def play(db: None) -> Play:
    return Play()
