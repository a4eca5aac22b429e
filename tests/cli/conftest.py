"""Two tenants, four tasks and the verbs as a person calls them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, load_command_class

from youtility_tasks import BadInput, Retry, queues, registry, roster, tenants
from youtility_tasks.declaration import Task
from youtility_tasks.errors import NotYetBuilt


def polish_floor(*, floor: int = 0) -> dict[str, int]:
    """Polish one floor. The second line is not for listings."""
    return {"polished": floor}


def break_window(*, guest: str = "nobody") -> None:
    raise ValueError("the window [broke]")


def lose_key() -> None:
    raise BadInput("there is no such key")


def build_tower() -> None:
    raise NotYetBuilt("build_tower")


class _NotBuilt:
    is_built = False

    def __call__(self, arguments: dict[str, Any]) -> None:
        raise NotYetBuilt("build_tower")


@dataclass(frozen=True)
class Tasks:
    polish_floor: Task
    break_window: Task
    lose_key: Task
    build_tower: Task


@pytest.fixture
def tasks() -> Iterator[Tasks]:
    declared = Tasks(
        registry.task(polish_floor, queue_name=queues.MAINTENANCE, priority=7, timeout_s=60, retry=Retry(3, base=5)),
        registry.task(break_window, queue_name=queues.HIGH_PRIORITY, priority=2),
        registry.task(lose_key, queue_name=queues.EMAIL, retry=Retry(4)),
        registry.task(build_tower, queue_name=queues.REPORTS, guard=_NotBuilt(), schedule="5 4 * * *", tenant="all"),
    )
    yield declared
    for name in ("polish_floor", "break_window", "lose_key", "build_tower"):
        registry.forget(name)


@pytest.fixture
def acme(db: None) -> int:
    return roster.add(7, "ACME Towers").pk


@pytest.fixture
def other_tenant(db: None) -> int:
    return roster.add(8, "Beta Malls").pk


@pytest.fixture
def enqueue() -> Callable[..., int]:
    """Enqueue for a tenant; the job's id."""

    def put(tenant_id: int, task: Task, **args: Any) -> int:
        with tenants.tenant(tenant_id):
            return int(task.enqueue(**args).id)

    return put


@dataclass(frozen=True)
class Said:
    """What a command wrote and the status it ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Call a management command with words, as a shell would, but in this process and transaction."""

    def run(name: str, *words: object) -> Said:
        capsys.readouterr()
        command = load_command_class("youtility_tasks", name)
        command._called_from_command_line = True  # argparse then ends the process with 2, as in a shell
        code = 0
        try:
            parser = command.create_parser("manage.py", name)
            command.execute(**vars(parser.parse_args([str(word) for word in words])))
        except CommandError as error:
            command.stderr.write(str(error))
            code = error.returncode
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture
def manage(say: Callable[..., Said]) -> Callable[..., Said]:
    """`manage("stats", "--json")` is `manage_task_queue stats --json`."""
    return lambda *words: say("manage_task_queue", *words)
