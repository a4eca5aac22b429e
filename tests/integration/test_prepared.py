"""What is enqueued again and again is prepared, on Django's own connection: where it may be, and without anybody noticing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import DataError, Error, OperationalError, connection, connections, transaction

from tests.acceptance.app.mutants import Mutant, apply
from tests.integration.desk import execute, job
from youtility_tasks import Task, prepared, queries
from youtility_tasks.models import Job

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A connection that nobody watches, and of which nothing is known."""
    monkeypatch.setattr(connections["default"], "execute_wrappers", [])
    monkeypatch.setattr(connections["default"], "force_debug_cursor", False)
    connection.close()
    yield
    connection.close()


def enqueue(task: Task, times: int) -> list[int]:
    return [int(task.enqueue().id) for _ in range(times)]


def names() -> list[str]:
    """What the session has prepared; asked with a cursor, which prepares nothing itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements ORDER BY name")
        return [name for (name,) in cursor.fetchall()]


ENQUEUE = "youtility_tasks_enqueue_job"


def test_what_was_sent_often_enough_is_prepared_once_and_means_the_same(sweep_task: Task) -> None:
    before = enqueue(sweep_task, prepared._SENT_BEFORE)
    assert names() == []
    after = enqueue(sweep_task, 3)

    assert names() == [ENQUEUE]
    assert len({*before, *after}) == prepared._SENT_BEFORE + 3
    first, last = job(before[0]), job(after[-1])
    assert (first.task_name, first.queue_name, first.args, first.priority, first.tenant_id) == (
        last.task_name, last.queue_name, last.args, last.priority, last.tenant_id,
    )  # fmt: skip


def test_another_connection_prepares_for_itself(sweep_task: Task) -> None:
    enqueue(sweep_task, 10)
    connection.close()
    enqueue(sweep_task, 3)
    assert names() == []
    enqueue(sweep_task, 10)
    assert names() == [ENQUEUE]


def test_in_a_transaction_nothing_is_prepared_nor_asked_for_by_its_name(sweep_task: Task) -> None:
    with transaction.atomic():
        enqueue(sweep_task, 10)
    assert names() == []
    enqueue(sweep_task, 10)
    with transaction.atomic():
        execute("DEALLOCATE ALL")
        enqueue(sweep_task, 2)

    assert Job.objects.count() == 22


def thrown_away(sweep_task: Task, how: str = "DISCARD ALL") -> None:
    enqueue(sweep_task, 10)
    execute(how)
    enqueue(sweep_task, 10)

    assert Job.objects.count() == 20
    assert names() == []


@pytest.mark.parametrize("how", ["DISCARD ALL", "DEALLOCATE ALL"])
def test_what_somebody_has_thrown_away_costs_no_call_and_is_not_tried_again(sweep_task: Task, how: str) -> None:
    thrown_away(sweep_task, how)


def test_a_server_that_refuses_is_not_asked_again(sweep_task: Task) -> None:
    connection.ensure_connection()
    execute(f"PREPARE {ENQUEUE} AS SELECT 1")
    enqueue(sweep_task, 10)

    assert Job.objects.count() == 10
    assert names() == [ENQUEUE]


def test_an_error_is_the_same_by_name(says: Callable[..., None]) -> None:
    says(divide="SELECT 1 / %(by)s::integer")
    for by in [*range(1, 10), 0]:
        if by:
            assert queries.fetch_lean("divide", {"by": by}) == [(1 // by,)]
            continue
        assert names() == ["youtility_tasks_divide"]
        with pytest.raises(DataError, match="division by zero"):
            queries.fetch_lean("divide", {"by": by})
    assert queries.fetch_lean("divide", {"by": 1}) == [(1,)]


def test_a_session_that_ends_while_it_is_asked_is_an_operational_error(
    sweep_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(sweep_task, prepared._SENT_BEFORE)
    monkeypatch.setattr(prepared, "_WHOSE", b"SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(OperationalError):
        enqueue(sweep_task, 1)
    connection.close()
    enqueue(sweep_task, 1)
    assert Job.objects.count() == prepared._SENT_BEFORE + 1


# -- without its guards

IN_A_TRANSACTION = test_in_a_transaction_nothing_is_prepared_nor_asked_for_by_its_name
REFUSED = test_a_server_that_refuses_is_not_asked_again
MODULE = "youtility_tasks.prepared"
GUARDS: list[tuple[Callable[[Task], None], Mutant]] = [
    (IN_A_TRANSACTION, Mutant(MODULE, "ask", "pgconn.transaction_status == TransactionStatus.IDLE", "True")),
    (thrown_away, Mutant(MODULE, "ask", "!= _UNKNOWN_STATEMENT", "!= b''")),
    (thrown_away, Mutant(MODULE, "_Known.forget", "self.may_prepare = False", "pass")),
    (REFUSED, Mutant(MODULE, "_prepare", "result.status == ExecStatus.COMMAND_OK", "True")),
]


@pytest.mark.parametrize(("check", "mutant"), GUARDS, ids=[mutant.guard for _, mutant in GUARDS])
def test_without_its_guard_somebody_notices(
    sweep_task: Task, monkeypatch: pytest.MonkeyPatch, check: Callable[[Task], None], mutant: Mutant
) -> None:
    owner = prepared._Known if mutant.function.startswith("_Known") else prepared
    name = mutant.function.rpartition(".")[2]
    monkeypatch.setattr(owner, name, getattr(owner, name))  # and puts it back
    apply(mutant)
    with pytest.raises((AssertionError, Error)):
        check(sweep_task)
