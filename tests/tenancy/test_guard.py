"""Django's own connection as the web: each statement goes out for the tenant of its context, and none for nobody."""

from __future__ import annotations

import contextlib
import contextvars
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import ProgrammingError, connection, connections, transaction
from psycopg.pq import TransactionStatus

from tests.tenancy.ground import A, B, House, build
from youtility_tasks import acts, enqueue, history, queries, roster
from youtility_tasks.declaration import Task
from youtility_tasks.errors import JobNotFound, NotAllowed, Refused, UnknownTenant
from youtility_tasks.models import Job, TaskEffect, Tenant
from youtility_tasks.tenancy import guard, roles, token
from youtility_tasks.tenants import no_tenant, tenant, tenants_in_scope
from youtility_tasks.tracing import carrying

pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.fixture(scope="module")
def own_house(cluster: Any, template: str, django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    """One that the tests of this module may write to."""
    with django_db_blocker.unblock():
        made = build(cluster, template)
    yield made
    made.pull_down()


@pytest.fixture(params=["web", "task"])
def inside(own_house: House, django_db_blocker: Any, request: pytest.FixtureRequest) -> Iterator[House]:
    """Django connects as that part, and the guard looks on."""
    with django_db_blocker.unblock(), own_house.settled():
        roles.act_as(request.param)
        connections["default"].close()
        yield own_house
        connections["default"].close()


def seen() -> set[int]:
    return set(Job.objects.values_list("tenant_id", flat=True))


def session_user() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        return str(cursor.fetchone()[0])


@contextlib.contextmanager
def protocol() -> Iterator[list[str]]:
    """What is said on Django's connection inside the block, a line a message, once it has ended (libpq's own trace)."""
    connection.ensure_connection()
    raw = connection.connection.pgconn
    said: list[str] = []
    with tempfile.TemporaryFile() as trace:
        raw.trace(trace.fileno())
        try:
            yield said
        finally:
            raw.untrace()
            trace.seek(0)
            said += trace.read().decode().splitlines()


def round_trips(said: list[str]) -> int:
    """The server says once each time that it waits for us again."""
    return sum("ReadyForQuery" in line for line in said)


def test_each_context_sees_its_own_and_nobody_nothing(inside: House) -> None:
    assert session_user() == inside.login(roles.acting_as() or "")
    assert seen() == set()
    with tenant(A):
        assert seen() == {A}
        with tenant(B):
            assert seen() == {B}
        assert seen() == {A}
        with no_tenant():
            assert seen() == set()
            assert set(Tenant.objects.values_list("pk", flat=True)) == {A, B}
    assert seen() == set()
    assert Tenant.objects.count() == 0
    assert tenants_in_scope() == [A, B]


def write_an_effect(tenant_id: int) -> None:
    with transaction.atomic():
        TaskEffect.objects.create(tenant_id=tenant_id, key="new", status="pending")


def test_whoever_is_refused_by_a_policy_reads_for_whom_it_was_done_and_what_is_right(inside: House) -> None:
    with pytest.raises(ProgrammingError) as alone:
        write_an_effect(A)
    with pytest.raises(ProgrammingError) as for_another, tenant(A):
        write_an_effect(B)
    with pytest.raises(ProgrammingError) as of_a_sweep, no_tenant():
        write_an_effect(A)

    assert "No tenant is set here" in "".join(alone.value.__notes__)
    assert "wrap it in `with tenant(id):`" in "".join(alone.value.__notes__) and "tenant='all'" in "".join(
        alone.value.__notes__
    )
    assert for_another.value.__notes__ == [
        "It was done for tenant 7: rows of another can be neither written nor pointed at."
    ]
    assert "a sweep: enter each with" in "".join(of_a_sweep.value.__notes__)


def test_a_transaction_follows_its_context(inside: House) -> None:
    with transaction.atomic():
        assert seen() == set()
        with tenant(A):
            assert seen() == {A}
            with tenant(B):
                assert seen() == {B}
        assert seen() == set(), "what was set inside is gone outside, in the same transaction"
        with tenant(A):
            assert seen() == {A}


def test_a_savepoint_that_is_rolled_back_brings_no_tenant_back(inside: House) -> None:
    with transaction.atomic(), tenant(A):
        assert seen() == {A}
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            with tenant(B):
                assert seen() == {B}
            raise ZeroDivisionError
        assert seen() == {A}
        with tenant(B), transaction.atomic():
            assert seen() == {B}
        assert seen() == {A}
        with pytest.raises(ProgrammingError), transaction.atomic(), tenant(B), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
        assert seen() == {A}


def test_a_savepoint_that_is_rolled_back_to_by_hand(inside: House) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SAVEPOINT by_hand")
        with tenant(A):
            assert seen() == {A}
            cursor.execute("ROLLBACK TO SAVEPOINT by_hand")
            assert seen() == {A}, "the server forgot with the savepoint, and is told again"
            cursor.execute("  rollback to by_hand")
        assert seen() == set()


def test_nothing_is_left_of_a_transaction(inside: House) -> None:
    for end in (transaction.commit, transaction.rollback):
        with tenant(A):
            transaction.set_autocommit(False)
            try:
                assert seen() == {A}
                end()
            finally:
                transaction.rollback()
                transaction.set_autocommit(True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('youtility_tasks.token', true)")
            assert cursor.fetchone()[0] in ("", None)
        assert seen() == set()


def test_a_statement_by_itself_is_put_into_a_transaction(inside: House) -> None:
    with tenant(A):
        TaskEffect.objects.create(tenant_id=A, key="by itself", status="pending", task_name="t")
        assert TaskEffect.objects.filter(key="by itself").count() == 1
        assert connection.connection.info.transaction_status == TransactionStatus.IDLE
        assert connection.get_autocommit() and not connection.in_atomic_block
        TaskEffect.objects.filter(key="by itself").delete()
    with pytest.raises(ProgrammingError, match="row-level security"):
        TaskEffect.objects.create(tenant_id=A, key="for nobody", status="pending", task_name="t")
    with tenant(B), pytest.raises(ProgrammingError, match="row-level security"):
        TaskEffect.objects.create(tenant_id=A, key="for another", status="pending", task_name="t")
    assert connection.connection.info.transaction_status == TransactionStatus.IDLE


def test_transactions_that_are_begun_by_hand(inside: House) -> None:
    with tenant(A), connection.cursor() as cursor:
        cursor.execute("BEGIN")
        assert seen() == {A}
        cursor.execute("ROLLBACK")
    assert seen() == set()


def test_several_statements_at_once_and_the_servers_own_cursor(inside: House) -> None:
    with tenant(A):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1; SELECT tenant_id FROM procrastinate_jobs")
            cursor.nextset()
            assert {row[0] for row in cursor.fetchall()} == {A}
            cursor.executemany("UPDATE youtility_tasks_taskeffect SET note = %s", [["x"], [""]])
            assert cursor.rowcount > 0
        assert {job.tenant_id for job in Job.objects.iterator(chunk_size=1)} == {A}
        with transaction.atomic():
            assert {job.tenant_id for job in Job.objects.iterator(chunk_size=1)} == {A}


def test_a_token_is_renewed_within_a_transaction(inside: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction.atomic(), tenant(A):
        seen()
        with protocol() as said:
            seen()
        assert "set_config" not in "".join(said)
        half_a_minute_on = time.monotonic() + 31
        monkeypatch.setattr(token.time, "monotonic", lambda: half_a_minute_on)
        with protocol() as said:
            assert seen() == {A}
        assert "set_config" in "".join(said)


def test_the_token_costs_no_round_trip(inside: House) -> None:
    def in_a_transaction() -> int:
        with protocol() as said, transaction.atomic():
            seen()
            seen()
        return round_trips(said)

    without = in_a_transaction()  # BEGIN, two statements, COMMIT
    assert without == 4
    with tenant(A):
        assert in_a_transaction() == without
        with protocol() as said:
            seen()
        assert round_trips(said) == 3, "a statement by itself becomes a transaction"


def test_the_token_is_in_no_statements_text(inside: House, own_house: House, enqueued_task: Task) -> None:
    """What others can see of this session is the text of its last statement."""
    texts: list[str] = []
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    def look() -> None:
        texts.extend(row[0] for row in own_house.rows("SELECT query FROM pg_stat_activity WHERE pid = %s", pid))

    with tenant(A):
        with transaction.atomic():
            seen()
            look()
            guard_sends_alone()
            look()
        enqueued_task.enqueue(number=1)
        look()
    own_house.rows("DELETE FROM procrastinate_jobs WHERE task_name = 'count_up'")
    assert texts and not [text for text in texts if "v1." in text]


def guard_sends_alone() -> None:
    with tenant(B), connection.cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2")


def test_a_tenant_is_activated_by_operators_alone(inside: House) -> None:
    for act in (lambda: roster.deactivate(A, "why"), lambda: roster.add(A, "Acme", weight=9)):
        with pytest.raises(NotAllowed, match="manage_task_queue tenants"):
            act()
    assert inside.rows("SELECT is_active, weight FROM youtility_tasks_tenant WHERE id = 7") == [(True, 1)]


def texts_seen_by_another(house: House, say: Callable[[], object]) -> list[str]:
    """What another session of the same user is shown of Django's while it is in the transaction in which it says something."""
    part = roles.acting_as()
    with tenant(B), transaction.atomic(), house.connect(part) as other:
        say()
        pid = connection.connection.info.backend_pid
        return [row[0] for row in other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid])]


def test_no_value_of_another_tenant_is_in_a_statements_text(inside: House, enqueued_task: Task) -> None:
    """Sessions of one user are shown the texts of each other's statements; what a text says is everybody's."""
    sayings: tuple[Callable[[], object], ...] = (
        lambda: list(TaskEffect.objects.filter(note="of Bolt")),
        lambda: Job.objects.filter(args__contains={"secret": "of Bolt"}).exists(),
        lambda: enqueued_task.enqueue(number=20_261_126),
        lambda: effects_of_bolt(),
        lambda: acts.cancel_many([20_261_126], "of Bolt"),
    )
    for say in sayings:
        (text,) = texts_seen_by_another(inside, say)
        assert text and "Bolt" not in text and "20261126" not in text, text


def effects_of_bolt() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text", ["of Bolt"])


def test_values_in_texts_are_caught(inside: House, enqueued_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    part = roles.acting_as()
    monkeypatch.setattr(roles, "_OF_ONE_TENANT", ())
    roles.act_as(part)
    connections["default"].close()
    with pytest.raises(AssertionError, match="of Bolt"):
        test_no_value_of_another_tenant_is_in_a_statements_text(inside, enqueued_task)


def test_whoever_wants_values_in_texts_says_so(inside: House) -> None:
    part = roles.acting_as()
    roles.act_as(roles.MIGRATOR)
    before = connections.databases["default"]["OPTIONS"]
    assert "server_side_binding" not in before
    try:
        connections.databases["default"]["OPTIONS"] = {**before, "server_side_binding": False}
        roles.act_as(part)
        assert connections["default"].settings_dict["OPTIONS"]["server_side_binding"] is False
    finally:
        roles.act_as(roles.MIGRATOR)
        connections.databases["default"]["OPTIONS"] = connections["default"].settings_dict["OPTIONS"] = before
        roles.act_as(part)
    assert connections["default"].settings_dict["OPTIONS"]["server_side_binding"] is True


def count_up(*, number: int = 0) -> int:
    return number


def sweep_up(*, number: int = 0) -> int:
    return number


@pytest.fixture
def enqueued_task(declare: Any) -> Task:
    return declare(count_up)


def test_enqueueing_is_for_the_tenant_of_the_context(inside: House, enqueued_task: Task, declare: Any) -> None:
    sweep = declare(sweep_up, tenant="all")
    with tenant(A):
        alone = enqueued_task.enqueue(number=1)
        with transaction.atomic():
            within = enqueued_task.enqueue(number=2)
        many = enqueue.enqueue_many(enqueued_task, [{"number": n} for n in range(3)])
        assert Job.objects.filter(task_name="count_up").count() >= 5
        for result in (alone, within, *many):
            assert history.result(result.id).kwargs["number"] >= 0
    with transaction.atomic(), tenant(B):
        swept = [sweep.enqueue()]
    with transaction.atomic():
        swept += [sweep.enqueue(), *enqueue.enqueue_many(sweep, [{}, {}])]
        assert seen() == set(), "the sweep's token is not left behind"
    swept.append(sweep.enqueue())
    with no_tenant():
        assert set(Job.objects.values_list("tenant_id", flat=True)) == {0}
    owners = inside.rows(
        "SELECT tenant_id, count(*) FROM procrastinate_jobs WHERE task_name = 'sweep_up' GROUP BY 1 ORDER BY 1"
    )
    assert owners == [(0, 4), (B, 1)]
    inside.rows("DELETE FROM procrastinate_jobs WHERE task_name IN ('sweep_up', 'count_up')")


def test_a_job_that_expires_is_for_the_tenant_of_the_context(inside: House, enqueued_task: Task) -> None:
    with tenant(A):
        alone = enqueued_task.apply_async(kwargs={"number": 1}, expires=3600)
        with transaction.atomic():
            within = enqueued_task.apply_async(kwargs={"number": 2}, expires=3600)
        expiring = dict(Job.objects.filter(pk__in=[alone.id, within.id]).values_list("tenant_id", "expires_at"))
    assert list(expiring) == [A] and None not in expiring.values()

    with tenant(B):
        assert alone.state == "PENDING"  # as of a job that nobody knows
        with pytest.raises(JobNotFound):
            alone.revoke()
    with tenant(A):
        alone.revoke()
        within.revoke()
        assert (alone.state, within.state) == ("REVOKED", "REVOKED")


def test_a_trace_goes_along_with_the_token(
    own_house: House, enqueued_task: Task, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    monkeypatch.setattr(carrying, "of_now", lambda: said)
    with (
        django_db_blocker.unblock(),
        own_house.settled(tracing="youtility_tasks.tracing.setup.from_environment"),
    ):
        roles.act_as("web")
        connections["default"].close()
        with tenant(A):
            made = [enqueued_task.enqueue(number=1)]
            with transaction.atomic():
                made += [enqueued_task.enqueue(number=2), enqueued_task.enqueue(number=3)]
            made += enqueue.enqueue_many(enqueued_task, [{"number": n} for n in range(2)])

    found = own_house.rows("SELECT trace FROM procrastinate_jobs WHERE id = ANY (%s)", [int(each.id) for each in made])
    assert found == [(said,)] * 5
    own_house.rows("DELETE FROM procrastinate_jobs WHERE task_name = 'count_up'")


def test_a_job_costs_no_round_trip_more(inside: House, enqueued_task: Task) -> None:
    with tenant(A), protocol() as alone:
        enqueued_task.enqueue(number=1)
    with tenant(A), protocol() as first, transaction.atomic():
        enqueued_task.enqueue(number=1)
        assert seen() == {A}, "the job has told the transaction for whom it is"
        with tenant(B):
            assert seen() == {B}
    with tenant(A), protocol() as second, transaction.atomic():
        assert seen() == {A}
        enqueued_task.enqueue(number=1)
    assert (round_trips(alone), round_trips(first), round_trips(second)) == (1, 5, 4)
    with transaction.atomic():
        with tenant(A):
            enqueued_task.enqueue(number=1)
        assert seen() == set(), "and with the block it is taken back"
    inside.rows("DELETE FROM procrastinate_jobs WHERE task_name = 'count_up'")


def test_a_tenant_that_does_not_exist_is_told_as_ever(inside: House, enqueued_task: Task) -> None:
    with tenant(999), pytest.raises(UnknownTenant):
        enqueued_task.enqueue(number=1)


def check_that_an_inactive_tenant_is_refused(house: House, task: Task) -> None:
    house.rows("UPDATE youtility_tasks_tenant SET is_active = false WHERE id = %s", A)
    try:
        with tenant(A):
            task.enqueue(number=1)
    except UnknownTenant:
        return
    finally:
        house.rows("UPDATE youtility_tasks_tenant SET is_active = true")
        house.rows("DELETE FROM procrastinate_jobs WHERE task_name = 'count_up'")
    raise AssertionError("it was enqueued")


def test_an_inactive_tenant_enqueues_nothing(inside: House, enqueued_task: Task) -> None:
    check_that_an_inactive_tenant_is_refused(inside, enqueued_task)

    ((was,),) = inside.rows(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'youtility_tasks_enqueue_signed_v1'"
    )
    assert " AND t.is_active" in was
    inside.rows(was.replace(" AND t.is_active", "").replace("%", "%%"))
    with pytest.raises(AssertionError):
        check_that_an_inactive_tenant_is_refused(inside, enqueued_task)
    inside.rows(was.replace("%", "%%"))


def test_one_key_is_one_job_also_by_itself(inside: House, enqueued_task: Task) -> None:
    with tenant(A):
        first, is_new = enqueue.enqueue_or_find(enqueued_task.using(unique="k"), (), {"number": 1})
        again, is_new_again = enqueue.enqueue_or_find(enqueued_task.using(unique="k"), (), {"number": 2})
    assert (is_new, is_new_again, again.id) == (True, False, first.id)
    assert first.enqueued_at == again.enqueued_at
    inside.rows("DELETE FROM procrastinate_jobs WHERE task_name = 'count_up'")


def test_acts_reach_ones_own_jobs_alone(inside: House) -> None:
    others = [
        job_id for (job_id,) in inside.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = %s ORDER BY status", B)
    ]
    mine = [
        job_id for (job_id,) in inside.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = %s ORDER BY status", A)
    ]
    waiting, dead = mine
    with tenant(A):
        assert {each.job_id for each in acts.retry_many([dead, *others]).done} == {dead}
        assert {each.job_id for each in acts.cancel_many([waiting, dead, *others], "why").done} == {waiting, dead}
        for job_id in others:
            with pytest.raises(Refused):
                acts.discard(job_id)
    assert {status for (status,) in inside.rows("SELECT status FROM procrastinate_jobs WHERE tenant_id = %s", B)} == {
        "todo",
        "failed",
    }
    inside.rows("DELETE FROM procrastinate_jobs")
    inside.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, tenant_id)"
        " SELECT 'email', 't', '{}', s::text::procrastinate_job_status, t FROM unnest(ARRAY['todo', 'failed']) s, unnest(ARRAY[7, 8]) t"
    )


def test_threads_and_async_code_have_the_tenant_of_their_context(inside: House) -> None:
    async def count() -> int:
        with tenant(B):
            return await Job.objects.filter(tenant_id=B).acount() - await Job.objects.exclude(tenant_id=B).acount()

    ((all_of_b,),) = inside.rows("SELECT count(*) FROM procrastinate_jobs WHERE tenant_id = %s", B)
    with tenant(A):
        assert async_to_sync(count)() == all_of_b
        assert seen() == {A}
        found: list[set[int]] = []

        def look() -> None:
            found.append(seen())
            connections.close_all()

        for target in (look, lambda: contextvars.Context().run(look), lambda: contextvars.copy_context().run(look)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert found == [set(), set(), set()], "a bare thread has a context of its own, and so no tenant"


def test_raw_queries_of_the_house_go_out_for_the_tenant(inside: House) -> None:
    with tenant(A):
        numbers = queries.fetch("queue_numbers", {"tenant_id": None})
    assert [(row[1], row[4]) for row in numbers] == [(1, 1)]
    assert queries.fetch("queue_numbers", {"tenant_id": None}) == []


def send_for_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_SEND", "SELECT set_config('youtility_tasks.token', %s, false)")


def forget_savepoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_BACK", re.compile("never"))


def send_once_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    send = guard.Guard._send
    monkeypatch.setattr(
        guard.Guard,
        "_send",
        lambda self, wanted, execute, sql, *rest: (
            execute(sql, *rest) if wanted is None else send(self, wanted, execute, sql, *rest)
        ),
    )


def say_it_in_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard.psycopg, "Cursor", psycopg.ClientCursor)
    monkeypatch.setattr(queries, "_is_idle", lambda raw: False)  # the way without a cursor has no text to put it into


@pytest.mark.parametrize(
    ("mutate", "check"),
    [
        (send_for_the_session, test_nothing_is_left_of_a_transaction),
        (send_for_the_session, test_each_context_sees_its_own_and_nobody_nothing),
        (forget_savepoints, test_a_savepoint_that_is_rolled_back_to_by_hand),
        (send_once_a_transaction, test_a_transaction_follows_its_context),
    ],
)
def test_without_its_care_the_guard_is_caught(
    inside: House, monkeypatch: pytest.MonkeyPatch, mutate: Any, check: Any
) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check(inside)


def test_a_token_in_the_text_is_caught(
    inside: House, own_house: House, enqueued_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_it_in_the_text(monkeypatch)
    with pytest.raises(AssertionError):
        test_the_token_is_in_no_statements_text(inside, own_house, enqueued_task)
