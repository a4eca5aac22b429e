"""Keys of two tenants never meet, under roles too: no answer, error or change tells one of the other's jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from psycopg.errors import UniqueViolation

from tests.tenancy.attacks.ways import refused
from tests.tenancy.ground import A, B, House
from youtility_tasks import Debounce, Task, Unique, acts, enqueue_many, tenant
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.usefixtures("django_db_setup")

RULES = [
    {"unique": Unique(by="number", while_="waiting", on_conflict="replace")},
    {"unique": Unique(by="number", on_conflict="replace")},
    {"unique": Unique(by="number", while_="until_done", on_conflict="replace")},
    {"unique": Unique(by="number", period_s=60)},
    {"debounce": Debounce(30, by="number")},
]
KEYS = "youtility_tasks_uniquekey"


def count_up(*, number: int, word: str = "") -> None: ...


@pytest.fixture
def counting(declare: Callable[..., Task]) -> Task:
    return declare(count_up)


@pytest.fixture
def inside(house: House, django_db_blocker: Any) -> Iterator[House]:
    with django_db_blocker.unblock(), house.settled():
        roles.act_as("web")
        connections["default"].close()
        yield house


@pytest.mark.parametrize("part", ["web", "task"])
def test_each_tenant_has_its_own_job_for_the_same_key(
    house: House, counting: Task, django_db_blocker: Any, part: str
) -> None:
    with django_db_blocker.unblock(), house.settled():
        roles.act_as(part)
        connections["default"].close()
        seen = []
        for options in RULES:
            task = counting.using(**options)
            for who in (A, B):
                with tenant(who):
                    first = task.enqueue(number=5, word="one")
                    again = task.enqueue(number=5, word="two")
                    batch = enqueue_many(task, [{"number": 5}, {"number": 6}])
                assert (first.is_new, again.is_new, again.id) == (True, False, first.id)
                assert again.is_replaced == ("replace" in repr(options) or "debounce" in options)
                assert (batch[0].id, batch[1].is_new) == (first.id, True)
                seen += [first.id, batch[1].id]
        assert len(set(seen)) == len(seen)
        with tenant(A):
            held = counting.using(unique=Unique(by="number", period_s=60)).enqueue(number=9)
            acts.cancel(int(held.id))
            assert counting.using(unique=Unique(by="number", period_s=60)).enqueue(number=9).is_new


def a_job_of_b(inside: House, counting: Task) -> int:
    with tenant(B):
        return int(counting.using(unique=Unique(by="number", period_s=60, while_="until_done")).enqueue(number=5).id)


def attack(house: House, job_id: int) -> None:
    call = {"task_name": "count_up", "priority": 5, "args": "{}"}
    with house.connect("web", A) as session:
        assert session.execute(f"SELECT count(*) FROM {KEYS}").fetchall() == [(0,)]
        assert session.execute(f"UPDATE {KEYS} SET held_until = now()").rowcount == 0
        assert session.execute(f"DELETE FROM {KEYS}").rowcount == 0
        with refused(session):
            session.execute(
                f"INSERT INTO {KEYS} (tenant_id, task_name, key, job_id, held_until) VALUES ({B}, 't', 'k', 1, now())"
            )
        with refused(session):
            session.execute(
                f"INSERT INTO {KEYS} (id, tenant_id, task_name, key, job_id, held_until) VALUES (1, {A}, 't', 'k', 1, now())"
            )
        replace = "SELECT youtility_tasks_replace_v1(%s, %s::jsonb)"
        with refused(session):
            session.execute(replace, [job_id, json.dumps({**call, "tenant_id": B})])
        (answer,) = session.execute(replace, [job_id, json.dumps({**call, "tenant_id": A})]).fetchall()
        assert answer == (False,), "as for an id that nobody has"
        with refused(session):
            session.execute(replace, [job_id, json.dumps({**call, "tenant_id": A, "lock": f"{B}:k"})])
        said = json.dumps([{**call, "n": 0, "tenant_id": B, "queue_name": "email", "done_key": "x", "replaces": True}])
        unique = "SELECT id, is_written, tenant_is_known FROM youtility_tasks_enqueue_unique_v1(%s::jsonb, false, NULL)"
        assert session.execute(unique, [said]).fetchall() == [(None, False, False)]
    # A key of A's that names B's job: neither the job's end nor its cancel may show in it.
    with house.connect("web", A) as session:
        session.execute(
            f"INSERT INTO {KEYS} (tenant_id, task_name, key, job_id, held_until) VALUES ({A}, 't', 'k', {job_id}, '9000-01-01')"
        )
        session.commit()
    with tenant(B):
        acts.cancel(job_id)
    assert house.rows(f"SELECT tenant_id FROM {KEYS}") == [(A,)], "B's own key was let go"


def test_a_tenant_gets_at_no_key_and_no_job_of_another(inside: House, counting: Task) -> None:
    attack(inside, a_job_of_b(inside, counting))


@pytest.mark.parametrize(
    "mutant",
    [
        f"ALTER POLICY yt_own ON {KEYS} USING (true) WITH CHECK (true)",
        f"ALTER TABLE {KEYS} DISABLE ROW LEVEL SECURITY",
        f"GRANT INSERT ON {KEYS} TO {{web}}",
        ("youtility_tasks_replace_v1", "theirs := youtility_tasks_scope_v1(c.tenant_id)", "theirs := c.tenant_id"),
        ("youtility_tasks_replace_v1", "AND j.tenant_id = theirs", ""),
        ("youtility_tasks_replace_v1", "coalesce(starts_with(c.lock, theirs || ':'), true)", "true"),
        ("youtility_tasks_cancel_v1", "k.tenant_id = g.tenant_id AND", ""),
    ],
    ids=str,
)
def test_without_a_guard_an_attack_gets_through(
    inside: House, counting: Task, mutant: str | tuple[str, str, str]
) -> None:
    job_id = a_job_of_b(inside, counting)
    if isinstance(mutant, str):
        inside.rows(mutant.format(web=inside.group("web")))
    else:
        function, guard, instead = mutant
        ((was,),) = inside.rows("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", function)
        assert guard in was
        inside.rows(was.replace(guard, instead).replace("%", "%%"))
        # Where the function forgets to ask, what it may see binds it; so that, too.
        inside.rows("ALTER POLICY yt_owner ON procrastinate_jobs USING (true)")
        inside.rows(f"ALTER POLICY yt_owner ON {KEYS} USING (true)")

    with pytest.raises((AssertionError, UniqueViolation)):  # the last one by an id that B has
        attack(inside, job_id)
