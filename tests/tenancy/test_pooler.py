"""Through a transaction pooler: few server sessions for many clients, each transaction another's, and nobody's rows but one's own."""

from __future__ import annotations

import collections
import itertools
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from psycopg.errors import QueryCanceled

from tests.poolers.bouncer import Pgbouncer, a_bouncer
from tests.tenancy.crews import crew_of
from tests.tenancy.ground import A, B, House, become
from youtility_tasks.conf import PARTS
from youtility_tasks.models import Job, TaskEffect, Tenant
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import no_tenant, tenant

SERVER_SESSIONS, CLIENTS = 4, 50
TRANSACTIONS = int(os.environ.get("POOLER_TRANSACTIONS", "2000"))
"""POOLER_TRANSACTIONS=100000 is the full size: some minutes."""


@pytest.fixture
def pooler(house: House) -> Iterator[Pgbouncer]:
    users = [house.login(part) for part in PARTS]
    with a_bouncer(house.url, "transaction", users=users, default_pool_size=SERVER_SESSIONS) as made:
        yield made


class Crowd:
    """Clients of the web that work side by side, and what each of them saw that it should not have seen."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.wrong: list[str] = []
        self.begun = itertools.count()
        self.cancelled = 0
        self.acts: collections.Counter[str] = collections.Counter()

    def client(self, number: int) -> None:
        dice = random.Random(number)  # noqa: S311
        try:
            while next(self.begun) < TRANSACTIONS and not self.wrong:
                try:
                    self.one(dice)
                except OperationalError as error:
                    if not isinstance(error.__cause__, QueryCanceled):
                        raise
                    self.acts["met a late request"] += 1  # the pooler passed it on to whoever had the session by then
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()

    def one(self, dice: random.Random) -> None:
        mine = dice.choice([A, B])
        act = dice.choice(
            [
                self.alone,
                self.in_a_transaction,
                self.rolled_back,
                self.fails,
                self.is_cancelled,
                self.nobody,
                self.changes,
                self.sweeps,
                self.leaves,
            ]
        )
        with tenant(mine):
            act(mine, dice)
        self.acts[act.__name__] += 1

    def expect(self, found: Any, right: Any, what: str) -> None:
        if found != right:
            self.wrong.append(f"{what}: {found!r} instead of {right!r}")

    def seen(self) -> set[int]:
        return set(Job.objects.values_list("tenant_id", flat=True)) | set(
            TaskEffect.objects.values_list("tenant_id", flat=True)
        )

    def alone(self, mine: int, dice: random.Random) -> None:
        self.expect(self.seen(), {mine}, "by itself")

    def in_a_transaction(self, mine: int, dice: random.Random) -> None:
        with transaction.atomic():
            for _ in range(dice.randint(1, 3)):
                self.expect(self.seen(), {mine}, "in a transaction")

    def rolled_back(self, mine: int, dice: random.Random) -> None:
        with transaction.atomic():
            self.expect(self.seen(), {mine}, "before a savepoint")
            with transaction.atomic(), tenant(A + B - mine):
                self.expect(self.seen(), {A + B - mine}, "inside a savepoint")
                transaction.set_rollback(True)
            self.expect(self.seen(), {mine}, "after a savepoint")
            transaction.set_rollback(dice.random() < 0.5)

    def fails(self, mine: int, dice: random.Random) -> None:
        try:
            with transaction.atomic():
                self.seen()
                with connection.cursor() as cursor:
                    cursor.execute(
                        dice.choice(
                            [
                                "SELECT 1 / 0",
                                "SELECT no_such_column",
                                "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)",
                            ]
                        )
                    )
        except DatabaseError:
            return
        self.wrong.append("a statement that fails did not")

    def is_cancelled(self, mine: int, dice: random.Random) -> None:
        """In the middle of a statement, by the protocol's own cancel request through the pooler."""
        connection.ensure_connection()
        timer = threading.Timer(0.001 * dice.randint(1, 20), connection.connection.cancel)
        try:
            with transaction.atomic():
                self.expect(self.seen(), {mine}, "before it is cancelled")
                timer.start()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(0.05)")  # a request that comes between two statements is lost
        except OperationalError:
            self.cancelled += 1
        finally:
            timer.join()

    def nobody(self, mine: int, dice: random.Random) -> None:
        with connection.cursor() as cursor:
            # psycopg's own cursor: no guard sends anything, and nothing may be left of whoever had this session before
            raw = cursor.cursor
            raw.execute("SELECT count(*) FROM procrastinate_jobs")
            self.expect(raw.fetchone(), (0,), "without a token")

    def changes(self, mine: int, dice: random.Random) -> None:
        changed = TaskEffect.objects.filter(key="same key").update(note=str(mine))
        self.expect(changed, 1, "rows changed")

    def sweeps(self, mine: int, dice: random.Random) -> None:
        with no_tenant(), transaction.atomic():
            self.expect(set(Tenant.objects.values_list("pk", flat=True)), {A, B}, "as a sweep")
            self.expect(self.seen(), set(), "rows of a sweep")

    def leaves(self, mine: int, dice: random.Random) -> None:
        """Goes away in the middle of a transaction."""
        transaction.set_autocommit(False)
        self.expect(self.seen(), {mine}, "before it leaves")
        connection.close()


@pytest.mark.timeout(60 + TRANSACTIONS // 50)
def test_no_client_meets_the_rows_of_another(
    house: House, pooler: Pgbouncer, django_db_setup: None, django_db_blocker: Any
) -> None:
    with django_db_blocker.unblock(), house.settled(by=pooler.url):
        roles.act_as("web")
        crowd = Crowd(house)
        begun = time.monotonic()
        threads = [threading.Thread(target=crowd.client, args=[number]) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    done, late = sum(crowd.acts.values()), crowd.acts.pop("met a late request", 0)
    assert crowd.wrong == []
    assert done == TRANSACTIONS and len(crowd.acts) == 9 and min(crowd.acts.values()) > TRANSACTIONS / 20
    assert crowd.cancelled > TRANSACTIONS / 50 and late < TRANSACTIONS / 100
    assert dict(house.rows("SELECT tenant_id, note FROM youtility_tasks_taskeffect")) == {A: str(A), B: str(B)}
    took = time.monotonic() - begun
    print(  # noqa: T201
        f"{done} transactions of {CLIENTS} clients through {SERVER_SESSIONS} sessions in {took:.0f} s: {dict(crowd.acts)},"
        f" {crowd.cancelled} statements cancelled, {late} requests came late"
    )


def test_a_token_for_the_session_would_be_the_next_clients(house: House, pooler: Pgbouncer) -> None:
    """The mutant: what is set for the session stays in it, whoever comes next."""
    with house.connect("web", url=pooler.url) as first:
        become(first, house.token(B), local=False)
    met = set()
    for _ in range(20):
        with house.connect("web", url=pooler.url) as other:
            met |= set(other.execute("SELECT tenant_id FROM procrastinate_jobs").fetchall())
    assert met == {(B,)}


def test_workers_go_around_it_and_their_tasks_through_it(house: House, pooler: Pgbouncer, tmp_path: Path) -> None:
    house.rows("DELETE FROM procrastinate_jobs")
    crew = crew_of(house, tmp_path, way=pooler.url)
    try:
        crew.start(**{**house.settings, "direct_database": house.url})
        ids = {each: crew.queue.put("looks_around", tenant_id=each) for each in (A, B, 0)}
        for each, job_id in ids.items():
            found = crew.queue.ending(job_id)["result"]
            assert (found["user"], found["jobs_of"]) == (house.login("task"), [each])
    finally:
        crew.close()
