"""Whose turn it is: tenants share a queue by weight, and nobody waits for another's backlog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.integration.desk import Claimed, Desk, execute, rows
from tests.integration.mutants import definition, must_catch
from youtility_tasks import Task, tenant
from youtility_tasks.enqueue import enqueue_many
from youtility_tasks.models import Tenant

pytestmark = pytest.mark.usefixtures("never_slow")

CLAIM, READY, TURNS = "youtility_tasks_claim_v2", "youtility_tasks_ready_v2", "youtility_tasks_turns_after_v2"


@pytest.fixture
def many_tenants(db: None) -> list[int]:
    return [each.pk for each in Tenant.objects.bulk_create(Tenant(id=n, name=f"Client {n}") for n in range(101, 181))]


def put(task: Task, tenant_id: int, n: int = 1, **options: object) -> list[int]:
    with tenant(tenant_id):
        chosen = task.using(**options)
        return [int(each.id) for each in enqueue_many(chosen, ({} for _ in range(n)))]


def owners(claimed: Sequence[Claimed]) -> list[int]:
    return [each.tenant_id for each in claimed]


def served(desk: Desk, *, claims: int, n: int) -> Counter[int]:
    return Counter(owner for _ in range(claims) for owner in owners(desk.claim(n)))


def test_one_job_waits_for_one_job_of_a_tenant_that_floods(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    def check() -> None:
        flood = put(add_task, acme, 300)
        assert owners(desk.claim(5)) == [acme] * 5
        (single,) = put(add_task, other_tenant)

        assert [each.id for each in desk.claim(2)] == [flood[5], single]
        put(add_task, other_tenant, 2)
        assert owners(desk.claim(4)) == [acme, other_tenant] * 2, "in turn, not one after the other"

    must_catch(check, READY, "ORDER BY tag, s.place, j.id LIMIT need", "ORDER BY s.place, j.id LIMIT need")


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_weights_are_the_shares(desk: Desk, add_task: Task, acme: int, other_tenant: int, n: int) -> None:
    """Whatever the size of a claim: what a tenant got ahead of its share is remembered for the next one."""

    def check() -> None:
        Tenant.objects.filter(pk=acme).update(weight=3)
        put(add_task, acme, 400)
        put(add_task, other_tenant, 400)

        shares = served(desk, claims=200 // n, n=n)
        total = sum(shares.values())
        assert total == 200 // n * n
        assert abs(shares[acme] - 0.75 * total) <= 1

    if n < 40:
        must_catch(
            check, READY, "starts[n] := coalesce(ahead_by[array_position(ahead, tenants[n])], 0)", "starts[n] := 0"
        )
        must_catch(check, CLAIM, "IF waiting IS NOT NULL THEN", "IF false THEN")


def test_within_a_claim_turns_are_by_weight_too(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    def check() -> None:
        Tenant.objects.filter(pk=acme).update(weight=3)
        put(add_task, acme, 20)
        put(add_task, other_tenant, 20)

        a, b = acme, other_tenant
        assert owners(desk.claim(8)) == [a, b, a, a, a, b, a, a]

    must_catch(check, READY, "(j.n - 1) / s.weight AS tag", "(j.n - 1) AS tag")


def test_weights_are_the_shares_while_looking_is_slow(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    """Claims that start where the one before ended see the tenants that got nothing in that one."""

    def check() -> None:
        text = definition(CLAIM)
        assert "'1 hour'" in text and "10 * took" in text
        execute(text.replace("'1 hour'", "'-1 ms'").replace("10 * took", "interval '1 hour'").replace("%", "%%"))
        Tenant.objects.filter(pk=acme).update(weight=3)
        put(add_task, acme, 300)
        put(add_task, other_tenant, 300)

        assert abs(served(desk, claims=80, n=1)[acme] - 60) <= 1

    must_catch(check, "youtility_tasks_floors_after_v1", "SELECT w.level, w.tenant_id, -1", "SELECT 0, -1, -1")


def test_a_share_that_nobody_wants_goes_to_the_others(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    def check() -> None:
        few = put(add_task, other_tenant, 3)
        many = put(add_task, acme, 50)

        claimed = [each.id for each in desk.claim(40)]

        assert set(few) < set(claimed)
        assert claimed[-30:] == many[7:37]

    must_catch(check, READY, "OR reach > 1 AND reach >= need;", "OR true;")


def test_alone_a_tenant_runs_in_the_order_of_its_jobs_and_owes_nothing_for_it(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    def check() -> None:
        mine = put(add_task, acme, 100)
        assert [each.id for each in desk.claim(60)] == mine[:60]

        put(add_task, other_tenant, 100)

        assert served(desk, claims=1, n=20) == {acme: 10, other_tenant: 10}

    check()


def test_who_was_served_more_does_not_wait_longer_than_that(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    """Being ahead counts only against tenants that were waiting at the time."""
    put(add_task, acme, 100)
    put(add_task, other_tenant, 2)
    assert served(desk, claims=10, n=5) == {acme: 48, other_tenant: 2}

    put(add_task, other_tenant, 50)

    assert served(desk, claims=1, n=10) == {acme: 5, other_tenant: 5}


def test_priority_goes_before_turns(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    put(add_task, other_tenant, 5)
    put(add_task, acme, 5, priority=1)

    assert owners(desk.claim(7)) == [acme] * 5 + [other_tenant] * 2


@pytest.mark.parametrize("n", [1, 8, 70])
def test_among_many_tenants_nobody_is_served_twice_before_all_were_once(
    desk: Desk, add_task: Task, many_tenants: list[int], n: int
) -> None:
    """More of them than one claim looks at."""

    def check() -> None:
        for each in many_tenants:
            put(add_task, each, 10)

        first_round = served(desk, claims=len(many_tenants) // n, n=n)
        assert set(first_round.values()) == {1}

    if n < 70:
        must_catch(check, READY, "nullif(current_setting('youtility_tasks.tenants_from', true), '')", "NULL")
    else:
        check()


def test_a_job_that_came_due_takes_its_turn_among_the_ready_ones(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    def check() -> None:
        late = put(add_task, acme, 30)
        # In the order of their ids: rows may stand in the table in any.
        execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1 minute' + id * interval '1 microsecond'"
        )
        (single,) = put(add_task, other_tenant)

        assert [each.id for each in desk.claim(2)] == [late[0], single]

    must_catch(check, CLAIM, "ORDER BY p.level, p.tag, p.id LIMIT p_n", "ORDER BY p.level, p.id LIMIT p_n")


def test_a_tenant_with_thousands_of_locks_does_not_hide_another_with_one(
    desk: Desk, locked_task: Task, acme: int, other_tenant: int
) -> None:
    def check() -> None:
        with tenant(acme):
            enqueue_many(locked_task, ({"key": f"a {number}"} for number in range(400)))
        with tenant(other_tenant):
            single = int(locked_task.enqueue(key="z").id)

        assert single in [each.id for each in desk.claim(4)]

    must_catch(check, "youtility_tasks_lock_heads_v2", "AND cardinality(tenants) = 1 AND", "AND")


def test_tenants_that_left_are_not_counted_among_those_that_are_looked_at(
    desk: Desk, add_task: Task, acme: int, other_tenant: int, many_tenants: list[int]
) -> None:
    """More of them than one claim looks at, before and between two that are there; and theirs are nobody else's weights."""

    def check() -> None:
        here = (many_tenants[70], many_tenants[-1])
        Tenant.objects.filter(pk=here[0]).update(weight=3)
        for each in many_tenants:
            put(add_task, each, 10)
        Tenant.objects.filter(pk__in=many_tenants).exclude(pk__in=here).update(is_active=False)

        assert served(desk, claims=1, n=8) == {here[0]: 6, here[1]: 2}

    must_catch(check, READY, "(x.tenant_id <> ALL (p_without))::integer", "1")
    must_catch(
        check, READY, "1)::float8)\n                       FILTER (WHERE w.tenant_id <> ALL (p_without))", "1)::float8)"
    )


def lead(waiting: list[int], weights: list[float] | None, served: list[int], turns: str) -> dict[int, float]:
    ((_,), (text,)) = [
        *rows("SELECT set_config('youtility_tasks.turns', %s, true)", turns),
        *rows(f"SELECT {TURNS}(%s::integer[], %s::float8[], %s::integer[])", waiting, weights, served),
    ]
    names, leads = ([word for word in part.strip("{}").split(",") if word] for part in text.split("|"))
    assert len(set(names)) == len(names)
    return {int(name): round(float(each), 6) for name, each in zip(names, leads, strict=True)}


@pytest.mark.parametrize(
    ("waiting", "served", "turns"),
    [
        ([7, 8, 9], [7, 7, 7, 8, 9, 9], ""),
        ([7, 8, 9], [7, 7, 7, 8, 9, 9], "{9,7}|{2.5,0.25}"),
        ([7, 8], [7, 9, 9, 9, 8], "{7}|{2.5}"),
        ([7, 8], [7, 7, 8], "{9}|{2.5}"),
    ],
    ids=["evenly", "some are ahead", "one is served that does not wait", "one is ahead that does not wait"],
)
def test_few_tenants_are_reckoned_as_many_are(
    acme: int, other_tenant: int, waiting: list[int], served: list[int], turns: str
) -> None:
    def check() -> None:
        Tenant.objects.filter(pk=7).update(weight=3)
        weights = [3.0 if each == 7 else 1.0 for each in waiting]

        assert lead(waiting, weights, served, turns) == lead(waiting, None, served, turns) != {}

    if 9 not in waiting:
        guard = " AND p_served <@ p_waiting" if 9 in served else " AND ahead <@ p_waiting"
        must_catch(check, TURNS, guard, "")
    else:
        must_catch(check, TURNS, " / p_weights[n]", "")


def test_who_waits_at_two_priorities_is_ahead_once(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    def check() -> None:
        for priority in (1, 5):
            put(add_task, acme, 3, priority=priority)
            put(add_task, other_tenant, 4, priority=priority)

        desk.claim(9)

        ((turns,),) = rows("SELECT current_setting('youtility_tasks.turns')")
        assert turns == "{8}|{1}"

    must_catch(check, READY, "CASE WHEN waiting IS NULL THEN weights END", "waiting_weights || weights")
