"""The README of the bridge is true."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import youtility_tasks.celery_bridge as bridge
from youtility_tasks import registry
from youtility_tasks.celery_bridge import absent, known
from youtility_tasks.testing import run_jobs

TEXT = (Path(bridge.__file__).parent / "README.md").read_text()


@pytest.mark.django_db
def test_its_example_runs_as_it_is_written() -> None:
    declared, called = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {"__name__": "readme_of_the_bridge"}
    exec(declared, names)  # noqa: S102
    try:
        first, wait = called.strip().splitlines()
        exec(first, names)  # noqa: S102
        run_jobs()
        assert eval(wait.partition("#")[0], names) == int(wait.partition("#")[2])  # noqa: S307
    finally:
        for name in [each for each in known.tasks if each.startswith("readme_of_the_bridge")]:
            registry.forget(name)
            del known.tasks[name]


def test_it_names_all_that_is_refused_at_import() -> None:
    said = TEXT.partition("when the module is imported:")[2].partition("When it is called")[0]

    assert set(re.findall(r"`(\w+)`", said)) == {*absent.DECLARED, "serializer"}


def test_the_modules_that_it_names_are_there() -> None:
    named = re.findall(r"`\.([a-z.]+)`", TEXT.partition("Modules have Celery's names")[2].partition(")")[0])

    assert len(named) == 7
    for name in named:
        importlib.import_module(f"youtility_tasks.celery_bridge.{name}")
