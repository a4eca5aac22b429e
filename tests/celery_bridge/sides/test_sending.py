"""Calls on their way: to Celery as a message, to us as a job, never both."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from celery import Celery
from django.db import transaction

from tests.celery_bridge.programs import Redis
from youtility_tasks import Task, errors, registry, tenant
from youtility_tasks.celery_bridge import broker, chunks, claims, routes, runs, sides, xmap, xstarmap
from youtility_tasks.models import BridgeCall, BridgeRun, Job
from youtility_tasks.testing import run_jobs


def messages(redis_server: Redis, key: str = "celery") -> list[broker.Message]:
    found = [broker.read(each.decode()) for each in redis_server.client().lrange(key, 0, -1)]
    return [each for each in reversed(found) if each is not None]


def test_a_call_that_goes_to_celery_is_one_message_with_its_tenant(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int
) -> None:
    routes.change(["bridge_books"], "celery")
    with tenant(acme):
        result = books_task.apply_async((), {"number": 1}, countdown=60)

    (message,) = messages(redis_server)
    assert (message.celery_id, message.task_name, message.tenant_id, message.kwargs) == (
        result.id,
        "bridge_books",
        acme,
        {"number": 1},
    )
    assert message.eta is not None
    assert uuid.UUID(result.id)
    assert not Job.objects.exists()


def test_positional_arguments_arrive_as_they_were_given(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int
) -> None:
    routes.change(["bridge_books"], "celery")
    with tenant(acme):
        books_task.delay(5, wait_s=1)
    (message,) = messages(redis_server)
    assert (message.args, message.kwargs) == ([5], {"wait_s": 1})


def test_a_rollback_takes_back_what_came_to_us_and_nothing_of_celerys(
    celery_app: Celery, redis_server: Redis, books_task: Task, stumbles_task: Task, acme: int
) -> None:
    routes.change(["bridge_stumbles"], "celery")
    with tenant(acme), pytest.raises(ZeroDivisionError), transaction.atomic():
        books_task.delay(number=1)
        stumbles_task.delay(number=2)
        raise ZeroDivisionError
    assert not Job.objects.exists()
    assert [each.kwargs for each in messages(redis_server)] == [{"number": 2}]


def test_a_canary_sends_each_tenant_its_own_way(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int, other_tenant: int
) -> None:
    low, high = sorted((acme, other_tenant), key=lambda each: routes.bucket(each, None))
    between = (routes.bucket(low, None) + routes.bucket(high, None)) / 2
    routes.change(["bridge_books"], "canary", percent=between)
    for tenant_id in (acme, other_tenant) * 3:
        with tenant(tenant_id):
            books_task.delay(number=1)
    assert [each.tenant_id for each in messages(redis_server)] == [high] * 3
    assert set(Job.objects.values_list("tenant_id", flat=True)) == {low}


def repeat_after_a_death(redis_server: Redis, task: Task, tenant_id: int) -> tuple[int, int]:
    """A caller sends to Celery under an id, dies before its commit, and does all of it again after the route has changed."""
    redis_server.client().flushall()
    Job.objects.all().delete()
    BridgeCall.objects.all().delete()
    routes.change([task.name], "celery")
    with tenant(tenant_id), pytest.raises(ZeroDivisionError), transaction.atomic():
        task.apply_async((), {"number": 1}, task_id="invoice-1")
        raise ZeroDivisionError
    routes.change([task.name], "postgres")
    with tenant(tenant_id), transaction.atomic():
        assert task.apply_async((), {"number": 1}, task_id="invoice-1").id == "invoice-1"
    return len(messages(redis_server)), Job.objects.count()


def test_a_call_with_an_id_stays_with_the_side_that_got_it_first(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert repeat_after_a_death(redis_server, books_task, acme) == (2, 0)  # as Celery has always done

    # The guard taken away: entered in the caller's own transaction, it is forgotten with it.
    monkeypatch.setattr(claims, "_alone", lambda do: do())
    assert repeat_after_a_death(redis_server, books_task, acme) == (1, 1)


def test_a_call_that_came_to_us_under_an_id_is_not_sent_to_celery_by_a_repetition(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int
) -> None:
    with tenant(acme):
        books_task.apply_async((), {"number": 1}, task_id="invoice-2")
        routes.change(["bridge_books"], "celery")
        books_task.apply_async((), {"number": 1}, task_id="invoice-2")
    assert (len(messages(redis_server)), Job.objects.count()) == (0, 1)


def id_after_its_end(redis_server: Redis, task: Task, tenant_id: int, first: str, then: str) -> tuple[int, int]:
    """A call by an id, its end, a change of the route, and the next call by the same id: messages and jobs of that one."""
    BridgeCall.objects.all().delete()
    routes.change([task.name], first)
    with tenant(tenant_id):
        task.apply_async((), {"number": 1}, task_id="nightly")
        if first == "celery":
            runs.note(
                task_name=task.name,
                side="celery",
                celery_id="nightly",
                tenant_id=tenant_id,
                attempt=1,
                outcome="succeeded",
            )
        else:
            run_jobs()
    redis_server.client().flushall()
    routes.change([task.name], then)
    with tenant(tenant_id):
        task.apply_async((), {"number": 1}, task_id="nightly")
    assert claims.known("nightly", tenant_id) == then
    return len(messages(redis_server)), Job.objects.filter(status="todo").count()


def test_an_id_whose_call_has_ended_goes_by_the_route_again(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert id_after_its_end(redis_server, books_task, acme, "celery", "postgres") == (0, 1)
    run_jobs()
    assert id_after_its_end(redis_server, books_task, acme, "postgres", "celery") == (1, 0)

    # Without the look at its end, an id that is used each night never leaves Celery.
    monkeypatch.setattr(claims, "_has_ended", lambda _: False)
    with pytest.raises(AssertionError):
        id_after_its_end(redis_server, books_task, acme, "celery", "postgres")


def test_an_option_that_we_would_refuse_is_seen_in_the_shadow(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int
) -> None:
    routes.change(["bridge_books"], "shadow")
    with tenant(acme):
        result = books_task.apply_async((), {"number": 1}, soft_time_limit=5)

    run = BridgeRun.objects.get()
    assert (run.celery_id, run.side, run.outcome, run.tenant_id) == (result.id, "shadow", "failed", acme)
    assert "soft_time_limit" in run.error_message
    assert (len(messages(redis_server)), Job.objects.count()) == (1, 0)


def test_what_has_begun_behind_a_call_of_celerys_is_found(celery_app: Celery, redis_server: Redis, acme: int) -> None:
    """As Celery writes it: a link, and a group of two."""
    children = [[["c-2", None], None], [["g", None], [[["c-3", None], None], [["c-4", None], None]]]]
    meta = {"status": "SUCCESS", "result": 4, "traceback": None, "children": children, "task_id": "c-1"}
    redis_server.client(1).set("celery-task-meta-c-1", json.dumps(meta))

    assert [each.id for each in sides.AsyncResult("c-1").children] == ["c-2", "c-3", "c-4"]
    assert sides.AsyncResult("c-2").children == []


def test_calls_over_many_elements_go_where_their_task_goes(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int
) -> None:
    def over(side: str) -> tuple[int, int]:
        redis_server.client().flushall()
        Job.objects.all().delete()
        routes.change(["bridge_books"], side)
        with tenant(acme):
            xmap(books_task.s(), [1]).apply_async()
            xstarmap(books_task.s(), [(1,)]).apply_async()
            chunks(books_task.s(), [(1,), (2,)], 1).apply_async()
        return redis_server.client().llen("celery"), Job.objects.filter(status="todo").count()

    assert over("celery") == (4, 0)
    assert over("postgres") == (0, 4)


def test_an_option_that_celery_has_not_is_refused_on_its_side_too(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int
) -> None:
    routes.change(["bridge_books"], "celery")
    with tenant(acme), pytest.raises(errors.NotOfCelery, match="contdown"):
        books_task.apply_async((), {"number": 1}, contdown=5)
    assert messages(redis_server) == []


def test_a_broker_that_is_away_is_the_callers_to_know(books_task: Task, acme: int) -> None:
    app = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=True)
    app.conf.task_publish_retry = False
    app.conf.broker_transport_options = {"max_retries": 0}
    routes.change(["bridge_books"], "shadow")
    with tenant(acme), pytest.raises(Exception, match="refused"):
        books_task.delay(number=1)
    assert not Job.objects.exists()


def test_a_shadow_is_put_beside_the_message_and_never_in_its_way(
    celery_app: Celery, redis_server: Redis, books_task: Task, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes.change(["bridge_books"], "shadow")
    with tenant(acme), transaction.atomic():
        result = books_task.delay(number=1)
    (job,) = Job.objects.all()
    assert (job.task_name, job.priority, job.tenant_id, job.args["celery_id"]) == (
        "shadow:bridge_books",
        1,
        acme,
        result.id,
    )
    assert json.loads(job.args["call"]) == {"number": 1}

    def broken(*_: Any, **__: Any) -> None:
        Job.objects.raw("SELECT nothing")[0]

    monkeypatch.setattr("youtility_tasks.celery_bridge.shadow.task_of", broken)
    with tenant(acme), transaction.atomic():
        books_task.delay(number=2)
        Job.objects.count()  # the caller's transaction is whole
    assert len(messages(redis_server)) == 2


def test_inside_a_shadow_calls_go_nowhere(
    celery_app: Celery, redis_server: Redis, books_task: Task, stumbles_task: Task, acme: int, declare: Any
) -> None:
    declare(calls_on, name="bridge_calls_on")
    routes.change(["bridge_calls_on", "bridge_books", "bridge_stumbles"], "shadow")
    with tenant(acme):
        sides.send(*_call("bridge_calls_on"))
    assert run_jobs() == 1
    assert [each.task_name for each in messages(redis_server)] == ["bridge_calls_on"]
    assert not Job.objects.exists()


def calls_on() -> None:
    sides.send(*_call("bridge_books", number=1))
    sides.send(*_call("bridge_stumbles", number=1))


def _call(name: str, **kwargs: Any) -> Any:
    return registry.get(name), (), kwargs, {}
