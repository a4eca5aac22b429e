"""Arguments by name take the short way, and come out as `inspect.Signature.bind` has them; what is wrong is told by the long one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from youtility_tasks import enqueue, errors


def by_name(*, a: int, b: str = "b", c: Any = None) -> None: ...


def either_way(a: int, b: str = "b") -> None: ...


def with_more(a: int, **more: Any) -> None: ...


def nothing() -> None: ...


@pytest.fixture(params=[by_name, either_way, with_more, nothing], ids=lambda each: each.__name__)
def task(request: pytest.FixtureRequest, declare: Callable[..., Any]) -> Any:
    return declare(request.param, tenant="all")


SOME = [names for n in range(5) for names in itertools.permutations("abcd", n)]


def test_the_short_way_says_what_the_long_one_says(task: Any) -> None:
    for names in SOME:
        given = dict.fromkeys(names, 1)
        try:
            bound = dict(task.signature.bind(**given).arguments)
        except TypeError:
            with pytest.raises(errors.WrongArguments):
                enqueue._arguments(task, (), given)
        else:
            more = bound.pop("more", {})
            assert list(enqueue._arguments(task, (), given).items()) == [*bound.items(), *more.items()]


def test_a_task_that_has_passed_is_looked_at_again_under_other_settings(declare: Callable[..., Any]) -> None:
    task = declare(nothing, tenant="all", queue_name="email")
    task.validate()

    with override_settings(YOUTILITY_TASKS={"queues": {"high_priority": {"processes": 1, "threads": 1}}}):
        with pytest.raises(errors.UnknownQueue):
            task.validate()
        with pytest.raises(errors.UnknownQueue):
            enqueue.check(task)
    task.validate()
