"""The table of `task_catalog/README.md` is the registry, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import task_catalog.tasks
from youtility_tasks import Retry, Task
from youtility_tasks.registry import registered

README = Path(task_catalog.__file__).with_name("README.md")
QUEUES = ["high_priority", "email", "reports", "maintenance"]
HEAD = [
    "| task | queue | P | limit s | runs | wait s | schedule (UTC) | what a second attempt does |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
]


def waits(retry: Retry) -> str:
    """The waits between the runs, in seconds; equal ones at the end are written once."""
    delays = [f"{retry.delay_s(run):g}" for run in range(1, retry.max_attempts)]
    while len(delays) > 1 and delays[-1] == delays[-2]:
        delays.pop()
    return ", ".join(delays) + (", ..." if len(delays) < retry.max_attempts - 1 else "") if delays else "-"


def second_attempt(task: Task) -> str:
    """What the docstring says about it, on one line."""
    found = re.search(r"Second\s+attempt:\s+(.+?)(\n\s*\n|\Z)", task.func.__doc__ or "", re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def row(task: Task) -> str:
    name = f"`{task.name}`"
    schedule = f"`{task.schedule}`" if task.schedule else "-"
    cells = [name, task.queue_name, task.priority, task.timeout_s, task.max_attempts, waits(task.retry), schedule]
    return "| " + " | ".join([*map(str, cells), second_attempt(task)]) + " |"


def table() -> str:
    tasks = [task for task in registered().values() if task.module_path.startswith("task_catalog.")]
    return "\n".join([*HEAD, *map(row, sorted(tasks, key=lambda task: (QUEUES.index(task.queue_name), task.name)))])


def test_the_readmes_table_is_the_registry():
    written = README.read_text()
    in_readme = "\n".join(line for line in written.splitlines() if line.startswith("|"))

    assert in_readme == table(), f"Paste this into {README.name}:\n{table()}"
