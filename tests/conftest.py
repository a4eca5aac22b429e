"""A real PostgreSQL for every test that wants one: started once a run, migrated once, copied for each that needs its own."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.test import TransactionTestCase
from hypothesis import settings
from procrastinate.contrib.django import app

from tests import seconds
from tests.prepared import in_memory, start_from_copy
from youtility_tasks import registry, task
from youtility_tasks.standalone.database import from_url
from youtility_tasks.standalone.server import Server

# Machines are shared and slow at times; what a test proves does not depend on how long one example takes.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

_EMPTY = """
    SET LOCAL session_replication_role = replica; -- neither triggers nor references: all of it goes
    DO $$
    DECLARE
        each regclass;
        found boolean;
    BEGIN
        FOR each IN SELECT c.oid FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
                       AND c.relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission') LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %s)', each) INTO found;
            IF found AND each::text IN ('procrastinate_jobs', 'youtility_tasks_history_default') THEN
                EXECUTE format('TRUNCATE %s CASCADE', each); -- what claims and pages count is measured without dead rows
            ELSIF found THEN
                EXECUTE format('DELETE FROM %s', each);
            END IF;
        END LOOP;
    END $$
"""
"""All rows of all tables, whether Django manages them or not. Its own flush makes every empty table anew as well, and all
permissions: 100 ms of processor time a test."""


def _empty_the_database(self: TransactionTestCase) -> None:
    with transaction.atomic(), connections["default"].cursor() as cursor:
        cursor.execute(_EMPTY)


TransactionTestCase._fixture_teardown = _empty_the_database


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, the files that take longest go first: one that comes last would be waited for alone."""
    if hasattr(config, "workerinput"):
        of_file = seconds.expected(items)
        items.sort(key=lambda item: -of_file[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected, half a million objects, stays: nobody need look through it again and again for what could go."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    seconds.count(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    seconds.keep(session)


def require_program(name: str, *, package: str) -> str:
    """The path of a program that pip cannot install; without it the test is skipped, and fails where CI=true promises it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        say = f"{name} is not installed; on Debian: apt-get install {package}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(say)
    return found


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL, and how to reach one of its databases."""

    conninfo: str
    server: Server | None
    template: str

    def url(self, dbname: str) -> str:
        if self.server is not None:
            return self.server.url(dbname)
        base, _, query = self.conninfo.partition("?")
        return f"{base.rsplit('/', 1)[0]}/{dbname}" + (f"?{query}" if query else "")

    def run(self, statement: str) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement)

    def copy(self, template: str) -> str:
        """A new database with all that the template holds; its name."""
        name = f"yt_{secrets.token_hex(6)}"
        # By files: half the work of the log, where nothing is flushed to a disk. To others' servers their own way.
        how = "" if self.server is None else " STRATEGY FILE_COPY"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}{how}")
        return name

    def drop(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class Eye:
    """A superuser's session in a database: opened when something is first asked, and anew when somebody has ended it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session: psycopg.Connection[Any] | None = None

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What it answers, committed."""
        is_new = self._session is None
        if self._session is None:
            self._session = psycopg.connect(self.url, autocommit=True, prepare_threshold=None)
        try:
            cursor = self._session.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            if not self._session.closed:
                raise
            self.close()
            if is_new:
                raise
        return self.rows(statement, *parameters)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    __del__ = close


@dataclass(frozen=True)
class Database:
    """A database of a test's own, migrated and empty, for real processes: `env` is all that they need to find it."""

    url: str
    env: dict[str, str] = field(default_factory=dict)

    @functools.cached_property
    def eye(self) -> Eye:
        return Eye(self.url)

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.eye.rows(statement, *parameters)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config, django_db_blocker: Any) -> Iterator[Cluster]:
    """PostgreSQL of DATABASE_URL (whose role must be allowed to create databases), else the embedded one; with the template."""
    given = os.environ.get("DATABASE_URL")
    if given:
        made = Cluster(given, None, f"yt_template_{secrets.token_hex(4)}")
        with django_db_blocker.unblock():
            make_template(made)
        yield made
        made.drop(made.template)
        return
    folder = Path(tempfile.mkdtemp(prefix="yt-tests-", dir=in_memory()))
    folder.chmod(0o755)  # ours: the server's own user has to pass through
    server = Server(folder, options=["-c", "fsync=off", "-c", "max_connections=200", "-c", "max_wal_size=256MB"])
    made = Cluster(server.conninfo("postgres"), server, "yt_template")
    try:
        with django_db_blocker.unblock():
            start_from_copy(server, pytestconfig.rootpath / ".pytest_cache" / "prepared", lambda: make_template(made))
        yield made
    finally:
        server.stop()
        shutil.rmtree(folder)


def make_template(cluster: Cluster) -> None:
    """A migrated database that is only ever copied."""
    cluster.run(f"CREATE DATABASE {cluster.template}")
    point_django_at(cluster.url(cluster.template))
    call_command("migrate", verbosity=0)
    connections.close_all()
    with psycopg.connect(
        cluster.url(cluster.template), autocommit=True
    ) as connection:  # tests make the days of the history that they want
        for (day,) in connection.execute("SELECT part::text FROM youtility_tasks_history_days_v1()").fetchall():
            connection.execute(f"DROP TABLE {day}")


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of a migrated database that is only ever copied."""
    return cluster.template


@pytest.fixture(scope="session")
def django_db_setup(cluster: Cluster, template: str, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's own set-up, replaced: its tests run in a copy of the template."""
    name = cluster.copy(template)
    point_django_at(cluster.url(name))
    yield
    with django_db_blocker.unblock():
        connections.close_all()
    cluster.drop(name)


def point_django_at(url: str) -> None:
    """Make the default alias of this process mean another database."""
    connections["default"].close()
    for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT"):
        connections.databases["default"][key] = ""
    connections.databases["default"].update(from_url(url))


@pytest.fixture
def fresh_database(cluster: Cluster, template: str) -> Iterator[Database]:
    """A database of this test's own, for real worker processes."""
    name = cluster.copy(template)
    url = cluster.url(name)
    made = Database(url, {**os.environ, "DATABASE_URL": url})
    yield made
    made.eye.close()
    cluster.drop(name)


@pytest.fixture
def declare() -> Iterator[Callable[..., Any]]:
    """`declare(function, **options)`: a task that is known for the length of one test."""
    with declaring() as declare_one:
        yield declare_one


@contextlib.contextmanager
def declaring() -> Iterator[Callable[..., Any]]:
    """The same, for the length of a block."""
    names: list[str] = []

    def declare_one(function: Callable[..., Any], **options: Any) -> Any:
        declared = task(function, **options)
        names.extend((declared.name, *declared.aliases))
        return declared

    try:
        yield declare_one
    finally:
        for name in names:
            registry.forget(name)
            app.tasks.pop(name, None)
