"""Django's test runner, without the tests that `left_out.txt` names, and telling of them."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import django
from django.db import connection
from django.test.runner import DiscoverRunner

LEFT_OUT = Path(__file__).with_name("left_out.txt")
BLOCKING = (
    "DummyBackendTestCase.test_get_missing_result",
    "TaskTestCase.test_get_missing_result",
    "TaskTestCase.test_refresh_result",
)
"""They call `get_result` or `refresh` without `await` inside a coroutine, where Django forbids queries unless told otherwise."""


def left_out() -> dict[str, str]:
    """The tests that say nothing of this backend, or cannot hold on the Django at hand, with the reason."""
    found = {}
    for line in LEFT_OUT.read_text().splitlines():
        if line and not line.startswith("#"):
            test, where, reason = line.split("  ", 2)
            if where == "all" or f"{django.VERSION[0]}.{django.VERSION[1]}" in where.split(","):
                found[test] = reason
    return found


class Runner(DiscoverRunner):
    def build_suite(self, *args: Any, **kwargs: Any) -> unittest.TestSuite:
        suite = unittest.TestSuite()
        known, kept, seen = left_out(), 0, set()
        for test in _each(super().build_suite(*args, **kwargs)):
            name = ".".join(test.id().split(".")[-2:])
            if name in known:
                seen.add(name)
                continue
            if name in BLOCKING:
                method = getattr(test, test._testMethodName)
                setattr(test, test._testMethodName, mock.patch.dict(os.environ, DJANGO_ALLOW_ASYNC_UNSAFE="1")(method))
            suite.addTest(test)
            kept += 1
        assert seen == set(known), f"left_out.txt names what is not there: {set(known) - seen}"
        print(f"{kept} of Django's tests run, {len(seen)} are left out:")  # noqa: T201
        for name in sorted(seen):
            print(f"  {name}: {known[name]}")  # noqa: T201
        return suite

    def teardown_databases(self, *args: Any, **kwargs: Any) -> None:
        """Also while threads of coroutines still have their connections."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        super().teardown_databases(*args, **kwargs)


def _each(suite: Any) -> list[Any]:
    return [one for test in suite for one in _each(test)] if isinstance(suite, unittest.TestSuite) else [suite]
