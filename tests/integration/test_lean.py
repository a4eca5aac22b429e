"""An enqueue without a cursor around it: nobody who looks at Django's connection misses it, and it is in the same transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, DataError, OperationalError, connection, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from psycopg.pq import TransactionStatus

from tests.integration.desk import execute, job
from youtility_tasks import Task, queries, tenant
from youtility_tasks.models import Job, Tenant

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture(autouse=True)
def nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tests before have put around this process's connection."""
    monkeypatch.setattr(connections["default"], "execute_wrappers", [])
    monkeypatch.setattr(connections["default"], "force_debug_cursor", False)


@pytest.fixture
def company(committed: None) -> int:
    return Tenant.objects.create(id=7, name="Acme").pk


@pytest.fixture
def no_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses the way with one."""

    def refuse(name: str, _: Any) -> None:
        raise AssertionError(f"{name} went with a cursor")

    monkeypatch.setattr(queries, "fetch", refuse)


def status() -> TransactionStatus:
    return TransactionStatus(connection.connection.pgconn.transaction_status)


def test_a_call_by_itself_needs_no_cursor(add_task: Task, company: int, no_cursor: None) -> None:
    with tenant(company):
        result = add_task.enqueue(number=4)

    assert status() == TransactionStatus.IDLE
    row = job(result.id)
    assert (row.args, row.enqueued_at) == ({"number": 4}, result.enqueued_at)


def test_nor_does_one_in_a_transaction_that_has_begun(add_task: Task, company: int, no_cursor: None) -> None:
    with transaction.atomic(), tenant(company):
        Tenant.objects.create(id=8, name="Other")
        result = add_task.enqueue()

    assert job(result.id).task_name == "add"


def test_the_first_statement_of_a_transaction_begins_it(add_task: Task, company: int) -> None:
    with tenant(company), transaction.atomic():
        add_task.enqueue()
        assert status() == TransactionStatus.INTRANS
        transaction.set_rollback(True)

    assert not Job.objects.exists()


def test_whoever_watches_the_connection_sees_it(add_task: Task, company: int) -> None:
    seen: list[str] = []

    def watch(execute: Any, sql: str, *more: Any) -> Any:
        seen.append(sql)
        return execute(sql, *more)

    with tenant(company):
        with connection.execute_wrapper(watch):
            add_task.enqueue()
        with CaptureQueriesContext(connection) as captured:
            add_task.enqueue()

    assert ["youtility_tasks_enqueue" in sql for sql in (*seen, *(each["sql"] for each in captured))] == [True, True]


def test_on_a_connection_of_ones_own_djangos_is_not_opened(says: Callable[..., None]) -> None:
    says(whose="SELECT pg_backend_pid()")
    connection.close()

    with queries.own_connection("test lean", deadline_s=5, part=None) as own:
        assert queries.fetch_lean("whose", {}) == [(own.info.backend_pid,)]
    assert connection.connection is None


def test_in_a_broken_transaction_nothing_is_sent(add_task: Task, company: int) -> None:
    with tenant(company), transaction.atomic():
        Tenant.objects.create(id=8, name="Other")
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            add_task.enqueue()
        assert status() == TransactionStatus.INTRANS


def test_errors_are_those_of_django(says: Callable[..., None]) -> None:
    says(divide="SELECT 1 / %(by)s::integer", good="SELECT %(text)s || '!'")

    with pytest.raises(DataError):
        queries.fetch_lean("divide", {"by": 0})
    with pytest.raises(DataError, match="NUL"):
        queries.fetch_lean("good", {"text": "a\0b"})
    assert queries.fetch_lean("good", {"text": "it's"}) == [("it's!",)]


def test_a_session_that_was_ended_is_an_operational_error_and_the_next_call_connects_anew(
    add_task: Task, company: int
) -> None:
    connection.ensure_connection()
    victim = connection.connection.info.backend_pid
    other = threading.Thread(
        target=lambda: (execute(f"SELECT pg_terminate_backend({victim}, 5000)"), connection.close())
    )
    other.start()
    other.join()

    with tenant(company):
        with pytest.raises(OperationalError):
            add_task.enqueue()
        connection.close()
        assert job(add_task.enqueue().id).status == "todo"


def test_a_connection_of_another_thread_is_refused(monkeypatch: pytest.MonkeyPatch, says: Callable[..., None]) -> None:
    says(good="SELECT 1")
    connection.ensure_connection()
    told: list[str] = []
    monkeypatch.setattr(queries, "connections", {"default": connections["default"]})  # found by any thread

    def ask() -> None:
        try:
            queries.fetch_lean("good", {})
        except DatabaseError as error:
            told.append(str(error))

    other = threading.Thread(target=ask)
    other.start()
    other.join()

    assert "created in a thread" in told[0]
