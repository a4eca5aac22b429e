"""What a worker looks for beside jobs waits for nobody who has locked the table: its jobs would wait, too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.db import OperationalError, transaction

from tests.integration.desk import execute
from tests.integration.mutants import definition
from tests.integration.schedules import due, long_ago, make
from youtility_tasks import Task, queries

pytestmark = pytest.mark.usefixtures("committed")


@contextlib.contextmanager
def locked(table: str) -> Iterator[None]:
    """Somebody else changes the table, and thinks."""
    with psycopg.connect(queries.conninfo("test aside", part=None)) as aside:
        aside.execute(f"LOCK TABLE {table}")
        yield


def looked(name: str, *, within_s: float) -> list[tuple[object, ...]]:
    with transaction.atomic():
        execute(f"SET LOCAL statement_timeout = {round(within_s * 1000)}")
        return queries.fetch(name, {"but_not": [], "most": 10})


LOOKS = [
    ("due_schedules", "youtility_tasks_scheduledtask"),
    ("due_schedules", "youtility_tasks_tenant"),
    ("unfinished_operations", "youtility_tasks_taskoperation"),
]


@pytest.mark.parametrize(("name", "table"), LOOKS)
def test_while_somebody_has_locked_its_table_it_says_so_and_nobody_waits(name: str, table: str) -> None:
    function = f"youtility_tasks_{name}_v1"
    original = definition(function)
    with locked(table):
        began = time.monotonic()
        ((found, *_),) = looked(name, within_s=2)
        assert found is None
        assert time.monotonic() - began < 1
    guard = "SET lock_timeout TO '50ms'"
    assert guard in original
    execute(original.replace(guard, "").replace("%", "%%"))
    try:
        with locked(table), pytest.raises(OperationalError, match="statement timeout"):
            looked(name, within_s=1)
    finally:
        execute(original.replace("%", "%%"))


def test_a_schedule_is_found_again_as_soon_as_the_lock_is_gone(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task), minutes=7)
    with locked("youtility_tasks_scheduledtask"):
        assert looked("due_schedules", within_s=2) == [(None, None, None)]
    assert due() == {row.pk}
