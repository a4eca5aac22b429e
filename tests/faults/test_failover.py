"""A primary and its standby, both real: what an acknowledged job is worth when the primary dies, and when it comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from django.db import connections, transaction
from django.test import Client

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, Queue, until
from tests.conftest import Cluster, make_template, point_django_at
from tests.prepared import in_memory, start_from_copy
from youtility_tasks import acknowledged, queries
from youtility_tasks.doctor import safety
from youtility_tasks.errors import CommitOutcomeUnknown, NoStandby
from youtility_tasks.exporter import source
from youtility_tasks.verify.pair import Pair
from youtility_tasks.workers.link import Link, LinkDown

CLAIMS_FLOW_S = 10.0
"""After the promotion."""
PUT = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('maintenance', 'adds', '{\"a\": 1, \"b\": 2}') RETURNING id"
WORKERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'youtility worker%'"


@pytest.fixture(scope="module")
def made(pytestconfig: pytest.Config, template: str, django_db_blocker: Any) -> Iterator[tuple[Pair, str]]:
    """The pair, and the name of a migrated database in it. After `template`, as whoever comes first prepares it for all."""
    folder = Path(tempfile.mkdtemp(prefix="yt-pair-", dir=in_memory()))
    folder.chmod(0o755)
    pair = Pair(folder)
    first = Cluster(pair.primary.conninfo("postgres"), pair.primary, "yt_template")
    try:
        with django_db_blocker.unblock():
            start_from_copy(
                pair.primary, pytestconfig.rootpath / ".pytest_cache" / "prepared", lambda: make_template(first)
            )
        with pair.in_use():
            yield pair, first.template
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def pair(made: tuple[Pair, str]) -> Iterator[Pair]:
    """The standby streams, synchronously; whatever a test has done to them is undone after it."""
    pair, _ = made
    yield pair
    for process in (*walreceivers(pair), *walreceivers(pair, of_the_primary=True)):
        process.resume()
    if not pair.ask(pair.primary, "SELECT 1 FROM pg_stat_replication"):
        pair.make_standby_of_the_old()
    pair.set_synchronous(True)


@pytest.fixture
def database(made: tuple[Pair, str], pair: Pair) -> Iterator[str]:
    name = f"failing_{time.monotonic_ns()}"
    pair.ask(pair.primary, f"CREATE DATABASE {name} TEMPLATE {made[1]}")
    yield name


@pytest.fixture
def crew(pair: Pair, database: str, tmp_path: Path) -> Iterator[Crew]:
    """Its workers know both servers; whoever looks at the queue asks the newer one."""
    made = Crew(Queue(pair.url(database)), {**os.environ, "DATABASE_URL": pair.address(database)}, tmp_path)
    yield made
    made.close()


def add_two(*, a: int, b: int) -> int:
    return a + b


@pytest.fixture
def adds(declare: Callable[..., Any]) -> Any:
    return declare(add_two, tenant="all")


@pytest.fixture
def django_here(pair: Pair, database: str, django_db_blocker: Any) -> Iterator[None]:
    """This process's own Django on the pair."""
    before = dict(connections["default"].settings_dict)
    with django_db_blocker.unblock():
        point_django_at(pair.address(database))
        yield
        connections["default"].close()
        connections.databases["default"].update(before)
        connections["default"].settings_dict.update(before)
        connections["default"].close()


def walreceivers(pair: Pair, *, of_the_primary: bool = False) -> list[psutil.Process]:
    server = pair.primary if of_the_primary else pair.standby
    pid = server.pid()
    found = []
    for each in psutil.Process(pid).children() if pid is not None else []:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "walreceiver" in " ".join(each.cmdline()):
                found.append(each)
    return found


@contextlib.contextmanager
def standby_deaf(pair: Pair) -> Iterator[None]:
    (receiver,) = walreceivers(pair)
    receiver.suspend()
    yield


def fail_over(pair: Pair) -> float:
    """A standby that was made deaf never hears what it had not heard: what is in its socket dies with its receiver."""
    pair.kill_primary()
    for receiver in walreceivers(pair):
        if receiver.status() == psutil.STATUS_STOPPED:
            receiver.kill()
            psutil.wait_procs([receiver], 5)
            until(lambda: answers(pair), why="the standby has started itself anew")
    return pair.promote()


def answers(pair: Pair) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        return pair.ask(pair.standby, "SELECT pg_is_in_recovery()") == [(True,)]
    return False


# -- B26


def test_what_was_acknowledged_is_on_the_synchronous_standby_and_claims_flow_soon_after_its_promotion(
    pair: Pair, crew: Crew, database: str
) -> None:
    crew.start()
    acknowledged_ids: list[int] = []
    enough, gone = threading.Event(), threading.Event()

    def enqueue() -> None:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(pair.address(database), autocommit=True) as c,
        ):
            while not gone.is_set():
                acknowledged_ids.append(c.execute(PUT).fetchall()[0][0])
                if len(acknowledged_ids) > 300:
                    enough.set()

    with ThreadPoolExecutor() as pool:
        enqueuing = [pool.submit(enqueue) for _ in range(2)]
        assert enough.wait(20)
        pair.kill_primary()
        gone.set()
        for each in enqueuing:
            each.result(10)
    promoted = pair.promote()
    crew.queue.close()

    probe = until(lambda: put(crew), why="the new primary takes jobs")
    assert crew.queue.ending(probe, within_s=CLAIMS_FLOW_S)["status"] == "succeeded"
    assert time.monotonic() - promoted < CLAIMS_FLOW_S

    left = "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing') LIMIT 1"
    until(lambda: not crew.queue.rows(left), why="all have ended")
    ended = (
        "SELECT job_id, count(*) FROM youtility_tasks_history WHERE is_final AND status = 'succeeded' GROUP BY job_id"
    )
    ends = dict(crew.queue.rows(ended))
    assert [job_id for job_id in acknowledged_ids if ends.get(job_id) != 1] == []
    assert crew.supervisors[0].process.poll() is None


def put(crew: Crew) -> int | None:
    with contextlib.suppress(psycopg.OperationalError):
        return crew.queue.put("adds", a=1, b=1)
    return None


# -- B25


def test_an_asynchronous_standby_lacks_what_it_had_not_heard_and_the_setting_says_so(
    pair: Pair, database: str, django_here: None, settings: Any
) -> None:
    pair.set_synchronous(False)
    settings.YOUTILITY_TASKS = {"acknowledged_by": "standby"}
    (refused,) = [each for each in safety.reasons()[1] if isinstance(each, NoStandby)]
    assert "'standby' and the database has synchronous_standby_names = ''; right is" in str(refused)

    heard = [pair.ask(pair.primary, PUT, database)[0][0] for _ in range(3)]
    (position,) = pair.ask(pair.primary, "SELECT pg_current_wal_lsn()")[0]
    until(
        lambda: pair.ask(pair.standby, f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == [(True,)], why="replayed"
    )
    with standby_deaf(pair):
        unheard = [pair.ask(pair.primary, PUT, database)[0][0] for _ in range(5)]
        fail_over(pair)

    there = {job_id for (job_id,) in pair.ask(pair.primary, "SELECT id FROM procrastinate_jobs", database)}
    assert set(heard) <= there
    assert len(set(unheard) - there) == 5, "acknowledged by one server alone, and gone with it"


def test_with_a_standby_the_setting_is_content(pair: Pair, database: str, django_here: None, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"acknowledged_by": "standby"}

    _, unless_allowed = safety.reasons()

    assert not [each for each in unless_allowed if isinstance(each, NoStandby)]


# -- B27


def enqueue_beside_a_deaf_standby(pair: Pair, database: str, adds: Any, *, in_transaction: bool) -> int:
    """Somebody's commit waits for the standby until an operator cancels it; the id that was given back, or what was raised."""

    def call() -> int:
        try:
            with transaction.atomic() if in_transaction else contextlib.nullcontext():
                return int(adds.enqueue(a=1, b=2).id)
        finally:
            connections.close_all()

    with standby_deaf(pair), ThreadPoolExecutor(1) as pool:
        called = pool.submit(call)
        waits = f"SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = '{database}'"
        ((pid,),) = until(lambda: pair.ask(pair.primary, waits), why="the commit waits")
        pair.ask(pair.primary, f"SELECT pg_cancel_backend({pid})")
        try:
            return called.result(10)
        finally:
            fail_over(pair)


@pytest.mark.parametrize("in_transaction", [True, False], ids=["in a transaction", "by itself"])
def test_a_commit_whose_wait_for_the_standby_is_cancelled_is_no_success(
    pair: Pair, database: str, adds: Any, django_here: None, in_transaction: bool
) -> None:
    with pytest.raises(CommitOutcomeUnknown, match="not known"):
        enqueue_beside_a_deaf_standby(pair, database, adds, in_transaction=in_transaction)

    assert pair.ask(pair.primary, "SELECT count(*) FROM procrastinate_jobs", database) == [(0,)]


def test_without_that_look_it_is_called_a_success_and_is_gone(
    pair: Pair, database: str, adds: Any, django_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledged, "is_cut_short", lambda notice: False)

    assert enqueue_beside_a_deaf_standby(pair, database, adds, in_transaction=True) > 0
    assert pair.ask(pair.primary, "SELECT count(*) FROM procrastinate_jobs", database) == [(0,)]


@pytest.mark.parametrize("looks", [True, False], ids=["looking", "without that look it is taken for done"])
def test_a_workers_statement_whose_wait_is_cancelled_is_asked_again(
    pair: Pair, database: str, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    real = queries.statement
    if not looks:
        monkeypatch.setattr(acknowledged, "is_cut_short", lambda notice: False)
    monkeypatch.setattr(queries, "statement", lambda name: PUT if name == "a write" else real(name))

    async def ask() -> None:
        link = Link(pair.address(database))
        await link.ask("session")
        with standby_deaf(pair):
            canceller = threading.Timer(0.3, cancel_who_waits, [pair])
            canceller.start()
            with pytest.raises(LinkDown, match="standby was cancelled") if looks else contextlib.nullcontext():
                assert await link.ask("a write")
            canceller.join()
        link.close()

    asyncio.run(ask())


def cancel_who_waits(pair: Pair) -> None:
    waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    until(lambda: pair.ask(pair.primary, waits), why="a commit waits")


# -- B28


def split_brain(pair: Pair, crew: Crew, database: str, *mutants: Mutant) -> tuple[int, str]:
    """The old primary is back and takes writes; how many sessions of workers it saw, and what became of a job there."""
    crew.start(mutant=list(mutants) or None)
    fail_over(pair)
    crew.queue.close()
    crew.queue.ending(until(lambda: put(crew), why="the new primary takes jobs"))
    pair.bring_back_the_old()
    pair.ask(
        pair.standby, "ALTER SYSTEM SET synchronous_standby_names = ''"
    )  # or its commits would wait, and prove nothing
    pair.ask(pair.standby, "SELECT pg_reload_conf()")
    ((lost,),) = pair.ask(pair.standby, PUT, database)
    pair.ask(pair.primary, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    crew.queue.close()
    probe = until(lambda: put(crew), why="the new primary takes jobs")
    sessions = 0
    with contextlib.suppress(AssertionError):
        assert crew.queue.ending(probe, within_s=3 if mutants else 10)["status"] == "succeeded"
    for _ in range(10):
        sessions += pair.ask(pair.standby, WORKERS)[0][0]
        time.sleep(0.1)
    there = pair.ask(pair.standby, f"SELECT status::text FROM procrastinate_jobs WHERE id = {lost}", database)
    return sessions, there[0][0] if there else "ended"


def test_an_old_primary_that_comes_back_and_takes_writes_is_left_alone(pair: Pair, crew: Crew, database: str) -> None:
    assert split_brain(pair, crew, database) == (0, "todo")
    assert "two servers take writes" in crew.supervisors[0].log.read_text()


def test_without_the_timeline_the_old_one_would_be_written_to(pair: Pair, crew: Crew, database: str) -> None:
    """What libpq does by itself: the first of the address that is writable."""
    takes_the_old = Mutant("youtility_tasks.servers", "pick", "best = writers[0]", "best = writers[-1]")
    forgets = Mutant("youtility_tasks.servers", "accept", "if timeline < newest:", "if False:")

    sessions, job = split_brain(pair, crew, database, takes_the_old, forgets)

    assert sessions > 0
    assert job != "todo"


# -- many hosts in one address


def test_console_exporter_children_and_listeners_take_an_address_of_two_servers(
    pair: Pair, crew: Crew, database: str, django_here: None, caplog: pytest.LogCaptureFixture
) -> None:
    crew.start(poll_interval_s=30.0)
    fail_over(pair)
    crew.queue.close()

    job_id = until(lambda: put_reading(crew), why="the new primary takes jobs")
    assert crew.queue.ending(job_id)["status"] == "succeeded"
    began = time.monotonic()
    assert crew.queue.ending(crew.queue.put("reads"))["status"] == "succeeded"
    assert time.monotonic() - began < 10, "nobody told the worker, which looks by itself every 30 s"

    assert Client().get("/tasks/readyz").status_code == 503
    assert "no live worker serves email" in caplog.text, "the database was asked"
    reader = source.Source()
    try:
        assert reader.read() is not None
    finally:
        reader.close()
    with queries.own_connection("test", deadline_s=5) as connection:
        assert connection.info.host == str(pair.primary.sockets)
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
    assert connections["default"].connection.info.host == str(pair.primary.sockets)


def put_reading(crew: Crew) -> int | None:
    with contextlib.suppress(psycopg.OperationalError):
        return crew.queue.put("reads")
    return None
