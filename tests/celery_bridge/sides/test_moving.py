"""What waits on one side is moved to the other, each call once, whoever is killed in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import celery
import psycopg
import pytest
from celery import Celery
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from tests.celery_bridge.programs import Redis
from youtility_tasks import Task, errors, failpoints, queries, registry, tenant
from youtility_tasks.celery_bridge import adopt, broker, claims, known, moving, routes, shared_task
from youtility_tasks.celery_bridge.moving import Moved
from youtility_tasks.celery_bridge.sources import Tenants
from youtility_tasks.models import BridgeCall, BridgeMove, Job, TaskAuditLog, TaskExecutionHistory
from youtility_tasks.testing import run_jobs

NAMES = ["bridge_books"]


def numbers_there(redis_server: Redis) -> list[int]:
    """Of the calls that wait in Celery's lists, in the order in which workers take them."""
    found = []
    for priority in ("", "\x06\x163", "\x06\x166", "\x06\x169"):
        for raw in reversed(redis_server.client().lrange(f"celery{priority}", 0, -1)):
            message = broker.read(raw.decode())
            found.append(-1 if message is None else message.kwargs.get("number", -1))
    return found


def numbers_here() -> list[int]:
    return [each.args["number"] for each in Job.objects.filter(status="todo").order_by("pk")]


def call(task: Task, *numbers: int, tenant_id: int = 7, **options: Any) -> list[str]:
    with tenant(tenant_id):
        return [task.apply_async((), {"number": each}, **options).id for each in numbers]


@pytest.fixture
def in_celery(celery_app: Celery, books_task: Task, stumbles_task: Task, acme: int, other_tenant: int) -> None:
    routes.change(["bridge_books", "bridge_stumbles"], "celery")


@pytest.fixture
def here(celery_app: Celery, books_task: Task, stumbles_task: Task, acme: int, other_tenant: int) -> None:
    """Celery is there, and calls come to us."""


def test_what_waits_in_celery_becomes_jobs_of_its_tenants_in_its_order(
    in_celery: None, redis_server: Redis, books_task: Task, stumbles_task: Task
) -> None:
    due = timezone.now() + timedelta(hours=2)
    ids = call(books_task, 1, 2) + call(books_task, 3, tenant_id=8) + call(books_task, 4, eta=due)
    call(stumbles_task, 5)

    done = moving.to_postgres(NAMES, reason="first wave")

    assert (done.moved, done.left) == ({"bridge_books": 4}, {})
    assert numbers_here() == [1, 2, 3, 4]
    assert numbers_there(redis_server) == [5]
    jobs = list(Job.objects.order_by("pk"))
    assert [each.tenant_id for each in jobs] == [7, 7, 8, 7]
    assert jobs[3].scheduled_at == due
    known = dict(BridgeCall.objects.filter(side="postgres").values_list("celery_id", "job_id"))
    assert known == dict(zip(ids, [each.pk for each in jobs], strict=True))
    assert TaskAuditLog.objects.get(act="move").after == {"moved": {"bridge_books": 4}, "left": {}}
    assert moving.to_postgres(NAMES).count == 0


def test_what_waits_here_becomes_messages_and_its_jobs_say_so(
    here: None, redis_server: Redis, books_task: Task, stumbles_task: Task
) -> None:
    due = timezone.now() + timedelta(hours=2)
    call(books_task, 1, 2)
    call(books_task, 3, tenant_id=8, eta=due)
    call(stumbles_task, 4)

    done = moving.to_celery(NAMES)

    assert (done.moved, numbers_here()) == ({"bridge_books": 3}, [4])
    found = [broker.read(each.decode()) for each in reversed(redis_server.client().lrange("celery", 0, -1))]
    assert [(each.kwargs["number"], each.tenant_id) for each in found if each] == [(1, 7), (2, 7), (3, 8)]
    assert found[2] is not None and found[2].eta == due
    assert not BridgeMove.objects.exists()
    assert not [key for key in redis_server.client().keys("youtility_tasks:*")]
    ended = TaskExecutionHistory.objects.filter(outcome="cancelled")
    assert {each.error_message for each in ended} == {"moved to Celery"}


def test_a_call_keeps_the_queue_and_the_priority_that_it_was_given(
    in_celery: None, celery_app: Celery, redis_server: Redis, settings: Any
) -> None:
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "celery_queues": {"mail": "email"}}

    def given(number: int) -> int:
        return number

    bridged = shared_task(name="bridge_given")(given)
    routes.change(["bridge_given"], "celery")
    try:
        with tenant(7):
            bridged.apply_async((1,), queue="mail", priority=6)
        for _ in range(2):
            assert moving.to_postgres(["bridge_given"]).count == 1
            job = Job.objects.get(status="todo")
            assert (job.queue_name, job.priority) == ("email", 11 - 7)
            assert moving.to_celery(["bridge_given"]).count == 1
            assert redis_server.client().llen("mail\x06\x166") == 1
    finally:
        registry.forget("bridge_given")
        known.tasks.pop("bridge_given")


def test_there_and_back_again_a_call_keeps_its_id(here: None, redis_server: Redis, books_task: Task) -> None:
    (celery_id,) = call(books_task, 1, task_id="invoice-1")
    for _ in range(3):
        assert moving.to_celery(NAMES).count == 1
        assert (numbers_here(), numbers_there(redis_server)) == ([], [1])
        assert moving.to_postgres(NAMES).count == 1
        assert (numbers_here(), numbers_there(redis_server)) == ([1], [])
    row = BridgeCall.objects.get()
    assert (row.celery_id, row.side, row.job_id) == (celery_id, "postgres", Job.objects.get().pk)


def test_what_belongs_together_or_is_tried_again_ends_where_it_is(
    in_celery: None, celery_app: Celery, redis_server: Redis, books_task: Task
) -> None:
    def headers(tenant_id: int) -> dict[str, Any]:
        return {"youtility_tenant": tenant_id}

    signature = celery_app.signature("bridge_books", kwargs={"number": 1}, immutable=True)
    celery.chain(signature, signature).apply_async(headers=headers(7))
    celery_app.send_task("bridge_books", kwargs={"number": 2}, retries=1, headers=headers(7))
    celery_app.send_task("bridge_books", kwargs={"number": 3}, group_id="g", headers=headers(7))
    celery_app.send_task("bridge_books", kwargs={"number": 4})  # for nobody
    celery_app.send_task("bridge_books", kwargs={"numbr": 5}, headers=headers(7))
    celery_app.send_task("bridge_books", kwargs={"number": 6}, headers=headers(4711))
    redis_server.client().lpush("celery", b"\xffno message", b'{"headers": {"task": "bridge_books"}}')
    call(books_task, 7)
    before = set(redis_server.client().lrange("celery", 0, -1))

    done = moving.to_postgres(NAMES)

    assert done.moved == {"bridge_books": 1}
    assert done.left == {
        "part of a canvas, which ends in Celery as a whole": 1,
        "it names no tenant": 1,
        "refused: WrongArguments": 1,
        "refused: UnknownTenant": 1,
        "unreadable": 1,
    }
    assert numbers_here() == [7]
    after = set(redis_server.client().lrange("celery", 0, -1))
    assert after < before and len(before - after) == 1


def test_jobs_that_cannot_be_told_in_celery_end_here(here: None, books_task: Task, redis_server: Redis) -> None:
    call(books_task, 1, 2, 3)
    first, second, _ = Job.objects.order_by("pk")
    Job.objects.filter(pk=first.pk).update(attempts=1)
    Job.objects.filter(pk=second.pk).update(step_id=1)

    done = moving.to_celery(NAMES)

    assert (done.moved, numbers_here(), numbers_there(redis_server)) == ({"bridge_books": 1}, [1, 2], [3])
    assert done.left == {"in its retries": 1, "a step of a workflow, which ends here as a whole": 1}


# -- killed in the middle


def interrupted(point: str, move: Callable[..., Moved], monkeypatch: pytest.MonkeyPatch, *, at: int = 1) -> None:
    """A move that dies when it comes to this point for the nth time."""
    seen = []

    def reach(name: str) -> None:
        if name == point:
            seen.append(name)
            if len(seen) == at:
                raise failpoints.FailpointReached(point)

    with monkeypatch.context() as patch, pytest.raises(failpoints.FailpointReached):
        patch.setattr(failpoints, "reach", reach)
        move(NAMES)


@pytest.mark.parametrize(
    ("point", "at"),
    [
        ("bridge_taken", 1),
        ("bridge_written", 1),
        ("bridge_written", 3),
        ("bridge_cancelled", 1),
        ("bridge_sent", 1),
        ("bridge_sent", 3),
    ],
)
@pytest.mark.parametrize("then", ["the same way", "back", "back and forth"])
def test_a_move_that_was_killed_is_ended_by_the_next_one_whichever_way_that_goes(
    here: None, books_task: Task, redis_server: Redis, monkeypatch: pytest.MonkeyPatch, point: str, at: int, then: str
) -> None:
    is_to_celery = point in ("bridge_cancelled", "bridge_sent")
    if not is_to_celery:
        routes.change(NAMES, "celery")
    call(books_task, 1, 2, 3, 4, 5)
    ways = [moving.to_celery, moving.to_postgres]
    forth, back = ways if is_to_celery else reversed(ways)

    interrupted(point, forth, monkeypatch, at=at)
    if then == "the same way":
        forth(NAMES)
    elif then == "back":
        back(NAMES)
    else:
        back(NAMES)
        forth(NAMES)

    ends_here = (then == "back") is is_to_celery
    assert sorted(numbers_here() if ends_here else numbers_there(redis_server)) == [1, 2, 3, 4, 5]
    assert (numbers_there(redis_server) if ends_here else numbers_here()) == []
    assert not redis_server.client().exists(broker.MOVING)
    assert not BridgeMove.objects.exists()


@pytest.mark.parametrize(
    ("point", "guard", "instead"),
    [
        ("bridge_written", "its row", None),
        ("bridge_sent", "its number", "redis.call('LPUSH', KEYS[2], ARGV[1]) return 1"),
        ("bridge_taken", "its list", None),
    ],
)
def test_without_each_guard_a_kill_would_double_or_lose_a_call(
    here: None,
    books_task: Task,
    redis_server: Redis,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    guard: str,
    instead: Any,
) -> None:
    if point == "bridge_sent":
        monkeypatch.setattr(broker, "_SEND_ONCE", instead)
    elif point == "bridge_written":
        # Without its row nobody knows that the job was written.
        monkeypatch.setattr("youtility_tasks.celery_bridge.ids.remember_job", lambda *_, **__: None)
    else:
        # Taken without being kept: popped, as a client of its own would.
        monkeypatch.setattr(broker, "_TAKE", broker._TAKE.replace("redis.call('RPUSH', KEYS[2], taken[i])", ""))
    with pytest.raises(AssertionError):
        test_a_move_that_was_killed_is_ended_by_the_next_one_whichever_way_that_goes(
            here, books_task, redis_server, monkeypatch, point, 1, "the same way"
        )


def test_one_move_at_a_time(here: None, books_task: Task, redis_server: Redis) -> None:
    call(books_task, 1)
    with psycopg.connect(queries.conninfo("another", part=None)) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('youtility_tasks move', 0))")
        with pytest.raises(errors.Refused, match="Another move"):
            moving.to_celery(NAMES)
    assert moving.to_celery(NAMES).count == 1


def test_a_broker_that_is_away_moves_nothing(books_task: Task, acme: int) -> None:
    with tenant(acme):
        books_task.enqueue(number=1)
    for url, said in (("redis://127.0.0.1:1/0", "does not answer"), ("memory://", "broker is memory")):
        Celery("away", broker=url, set_as_current=True)
        for move in (moving.to_celery, moving.to_postgres):
            with pytest.raises(errors.BrokerAway, match=said):
                move(NAMES)
    assert numbers_here() == [1]


def test_draining_says_what_still_waits(in_celery: None, books_task: Task, redis_server: Redis) -> None:
    call(books_task, 1, 2)
    assert moving.wait_until_drained(NAMES, of_celery=True, timeout_s=0) == {"bridge_books": 2}
    moving.to_postgres(NAMES)
    assert moving.wait_until_drained(NAMES, of_celery=True, timeout_s=0) == {}
    assert moving.wait_until_drained(NAMES, of_celery=False, timeout_s=0) == {"bridge_books": 2}
    assert run_jobs() == 2
    assert moving.wait_until_drained(NAMES, of_celery=False, timeout_s=0) == {}


def test_an_old_call_behind_many_others_is_seen(in_celery: None, books_task: Task, redis_server: Redis) -> None:
    call(books_task, 1)
    other = b'{"headers": {"task": "other"}}'
    redis_server.client().lpush("celery", *[other] * 2_500)

    assert moving.left_in_celery(NAMES) == {"bridge_books": 1}
    with broker.opened() as opened:
        sampled = opened.waiting(most=1_000)
    assert sampled["other"].queued == round(999 * 2.501)


def test_where_keys_have_a_prefix_messages_move_there_and_back(
    in_celery: None, celery_app: Celery, books_task: Task, redis_server: Redis
) -> None:
    """A list without the prefix is one that no worker of Celery's looks into."""
    celery_app.conf.broker_transport_options = {"global_keyprefix": "shop:"}
    call(books_task, 1)
    assert moving.left_in_celery(NAMES) == {"bridge_books": 1}
    assert moving.to_postgres(NAMES).count == 1
    assert moving.to_celery(NAMES).count == 1

    client = redis_server.client()
    assert (client.llen("shop:celery"), numbers_here()) == (1, [])
    assert {key for key in client.keys("*") if not key.startswith(b"shop:")} == set()


def test_a_rollback_of_all_that_was_killed_is_ended_by_the_same_command(
    here: None, books_task: Task, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The routes lead to Celery by then, and yet there is something to do."""
    routes.change(NAMES, "postgres")
    call(books_task, 1, 2)
    interrupted("bridge_cancelled", lambda _: call_command("celery_bridge", "rollback", "--all", "--move"), monkeypatch)
    assert (routes.find("bridge_books").side, numbers_there(redis_server)) == ("celery", [])

    call_command("celery_bridge", "rollback", "--all", "--move", stdout=(out := StringIO()))

    assert "2 of bridge_books moved to celery" in out.getvalue()
    assert (numbers_here(), numbers_there(redis_server)) == ([], [1, 2])


# -- beside an adoption


def adopted_halfway(app: Celery, monkeypatch: pytest.MonkeyPatch, point: str = "adopt_taken") -> None:
    """What an adoption leaves that is killed with messages in its hands."""

    def reach(reached: str) -> None:
        if reached == point:
            raise failpoints.FailpointReached(point)

    with monkeypatch.context() as patch, pytest.raises(failpoints.FailpointReached):
        patch.setattr(failpoints, "reach", reach)
        adopt.adopt(app, Tenants(), queues=["celery"])


def test_a_move_gives_back_what_a_killed_adoption_holds(
    in_celery: None, celery_app: Celery, books_task: Task, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(books_task, 1, 2)
    adopted_halfway(celery_app, monkeypatch)
    assert numbers_there(redis_server) == []

    moving.to_celery(NAMES)

    assert (numbers_there(redis_server), numbers_here()) == ([1, 2], [])
    assert not redis_server.client().keys("youtility_adopting*")

    adopted_halfway(celery_app, monkeypatch, "adopt_written")  # their jobs are there
    moving.to_postgres(NAMES)
    assert (numbers_there(redis_server), numbers_here()) == ([], [1, 2])

    monkeypatch.setattr(
        moving, "give_back", lambda _: None
    )  # without it they wait for the next adoption, and nobody says so
    moving.to_celery(NAMES)
    adopted_halfway(celery_app, monkeypatch)
    moving.to_celery(NAMES)
    assert numbers_there(redis_server) == []


def test_an_adoption_begins_with_what_a_killed_move_holds_and_waits_for_none(
    in_celery: None, celery_app: Celery, books_task: Task, redis_server: Redis
) -> None:
    call(books_task, 1)
    with broker.opened() as opened:
        opened.take(NAMES)
    assert adopt.adopt(celery_app, Tenants()).reasons.total() == 0
    assert (numbers_here(), redis_server.client().exists(broker.MOVING)) == ([1], 0)

    with psycopg.connect(queries.conninfo("another", part=None)) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('youtility_tasks move', 0))")
        with pytest.raises(errors.Refused, match="Another move"):
            adopt.adopt(celery_app, Tenants())


# -- what a worker holds until it is due


def test_whoever_claims_first_has_it(in_celery: None, books_task: Task) -> None:
    """A worker's fence and a move race for a message that the worker holds."""

    def held(celery_id: str, number: int) -> broker.Message:
        return broker.Message(celery_id, "bridge_books", [], {"number": number}, 7, 0, timezone.now(), None, False, "")

    done = Moved("postgres")
    assert claims.claim_run("c-1", "bridge_books", 7) == "celery"
    assert moving._written(held("c-1", 1), done) == "a worker has begun it"
    assert moving._written(held("c-2", 2), done) is None
    assert claims.claim_run("c-2", "bridge_books", 7) == "postgres"
    assert claims.enter_for_celery("c-3", "bridge_books", 7) == "celery"  # it was sent under an id
    assert moving._written(held("c-3", 3), done) is None
    assert (numbers_here(), done.count) == ([2, 3], 2)


def test_a_worker_that_begins_while_a_move_is_at_it_waits_for_its_end(in_celery: None, books_task: Task) -> None:
    found: list[str] = []

    def begin() -> None:
        found.append(claims.claim_run("c-1", "bridge_books", 7))
        connections["default"].close()

    worker = threading.Thread(target=begin)
    with tenant(7), transaction.atomic():
        row = claims.hold_for_move("c-1", "bridge_books", 7)
        worker.start()
        worker.join(0.3)
        assert worker.is_alive()
        row.side = "postgres"
        row.save()
    worker.join(10)
    assert found == ["postgres"]
