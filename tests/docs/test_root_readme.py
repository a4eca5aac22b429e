"""The README keeps its word: its code runs, its commands exist, its files are there."""

from __future__ import annotations

import importlib
import re
import sys
import types
from pathlib import Path

import pytest
from django.core.management import get_commands

from youtility_tasks import Retry, TaskContext, progress_of, queues, registry
from youtility_tasks.models import Tenant
from youtility_tasks.testing import assert_enqueued, run_jobs

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.django_db
def test_the_first_lines_of_code_run_as_they_stand(tmp_path, monkeypatch):
    Tenant.objects.create(pk=7, name="Acme")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "@task" in block]
    (tmp_path / "readme_example.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        importlib.import_module("readme_example")

        assert assert_enqueued("send_welcome", person_id=42).tenant_id == 7
    finally:
        registry.forget("send_welcome")
        sys.modules.pop("readme_example", None)


@pytest.mark.django_db
def test_the_long_job_goes_on_where_it_was(declare, monkeypatch):
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "last_checkpoint" in block]
    rendered = []

    def render(page):
        if page == 2 and rendered.count(1) < 2:
            rendered.append(1)
            raise OSError("the printer is away")
        rendered.append(page)

    module = types.ModuleType("readme_long_job")
    vars(module).update(TaskContext=TaskContext, render=render)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code, vars(module))  # noqa: S102
    book = declare(module.render_book, takes_context=True, tenant="all", retry=Retry(2))
    result = book.enqueue(pages=4)

    run_jobs(limit=1)
    assert str(progress_of(result)) == "2 of 4 pages (50 %)"
    run_jobs()
    assert rendered == [0, 1, 1, 2, 3]


def test_every_command_of_the_table_exists():
    named = set(re.findall(r"^\| `(\w+)", README, re.M))

    assert {"run_postgresql_worker", "manage_task_queue", "setup_task_queue", "play_company_day"} <= named
    assert named <= set(get_commands())


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))

    assert set(re.findall(r"^make (\w+)", README, re.M)) <= targets


def test_the_formula_of_connections_counts_the_queues_as_they_are_configured():
    shapes = queues.DEFAULTS.values()
    slots = sum(shape.slots for shape in shapes)

    assert f"{len(shapes)} x 1 + {slots} = {len(shapes) + slots}, and {len(shapes)} for moments" in README


def test_every_file_that_is_linked_is_there():
    links = re.findall(r"\]\(([^)#]+)\)", README)

    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
