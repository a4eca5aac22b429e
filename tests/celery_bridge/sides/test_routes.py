"""Where calls go: what a route is, how it is changed, and who knows it when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks import Task, errors, tenant
from youtility_tasks.celery_bridge import extra, routes, sides
from youtility_tasks.celery_bridge.routes import Route
from youtility_tasks.models import BridgeRoute, Job, TaskAuditLog

TENANTS = range(1, 2_001)


def ours(percent: float, key: str | None = None) -> set[int]:
    route = Route("t", "canary", percent)
    return {each for each in TENANTS if route.side_for(each, key) == "postgres"}


def test_a_share_is_about_so_large() -> None:
    for percent in (1, 10, 50, 90):
        assert abs(len(ours(percent)) / len(TENANTS) * 100 - percent) < 3
    assert (ours(0), ours(100)) == (set(), set(TENANTS))


@given(low=st.floats(0, 100), high=st.floats(0, 100), tenant_id=st.integers(0, 2**31 - 1), key=st.none() | st.text())
def test_who_is_on_our_side_stays_there_when_the_share_is_raised(
    low: float, high: float, tenant_id: int, key: str | None
) -> None:
    low, high = sorted((low, high))
    before = Route("t", "canary", low).side_for(tenant_id, key)
    after = Route("another", "canary", high).side_for(tenant_id, key)
    assert (before, after) in {("celery", "celery"), ("celery", "postgres"), ("postgres", "postgres")}


def test_a_canary_sticks_to_the_tenant_or_to_what_its_route_names(books_task: Task) -> None:
    def key(sticks_to: str, tenant_id: int | None, args: list[Any], **kwargs: Any) -> str | None:
        return routes.key_of(Route("t", "canary", 10, sticks_to), books_task, args, kwargs, tenant_id)

    assert key("", 7, [], number=1) is None
    assert key("", None, [], number=1) != key("", None, [], number=2)  # nobody's calls: by their arguments
    assert key("number", 7, [], number=1, wait_s=1) == key("number", 7, [1]) == key("number", 7, [], number=1)
    assert key("number", 7, [], number=1) != key("number", 7, [], number=2)
    assert key("*", 7, [], number=1) != key("*", 7, [], number=1, wait_s=1)


@pytest.mark.django_db
def test_without_a_route_the_setting_says_where(books_task: Task, settings: Any) -> None:
    assert routes.side_of("bridge_books", 7) == "postgres"
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "celery_bridge_default": "celery"}
    assert routes.side_of("bridge_books", 7) == "celery"


@pytest.mark.parametrize("given", ["shadow", "Celery", None])
def test_a_setting_that_cannot_be_meant_is_told(settings: Any, given: Any) -> None:
    settings.YOUTILITY_TASKS = {"celery_bridge_default": given}
    with pytest.raises(errors.ConfigurationError, match="right is 'postgres' or 'celery'"):
        routes.of("bridge_books")


@pytest.mark.django_db
def test_a_change_is_in_the_audit_log_with_what_was_before(books_task: Task) -> None:
    routes.change(["bridge_books"], "canary", percent=10, reason="first week")
    routes.change(["bridge_books"], "postgres", reason="second")

    second, first = TaskAuditLog.objects.filter(act="route")
    assert (first.target, first.reason) == ("task bridge_books", "first week")
    assert (first.before["side"], first.after) == (
        "postgres",
        {"side": "canary", "percent": 10, "sticks_to": "", "version": 1},
    )
    assert (second.before["side"], second.after) == ("canary", {"side": "postgres", "version": 2})
    assert routes.find("bridge_books").version == 2


@pytest.mark.django_db
def test_a_change_without_its_entry_is_no_change(books_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr("youtility_tasks.audit.write", away)
    with pytest.raises(RuntimeError):
        routes.change(["bridge_books"], "celery")
    assert not BridgeRoute.objects.exists()


@pytest.mark.django_db
def test_one_refused_task_leaves_all_as_they_were(books_task: Task, stumbles_task: Task) -> None:
    with pytest.raises(errors.RouteChanged, match="have seen version 3"):
        routes.change(["bridge_books", "bridge_stumbles"], "celery", expected={"bridge_stumbles": 3})
    with pytest.raises(errors.UnknownTask, match="Did you mean 'bridge_books'"):
        routes.change(["bridge_stumbles", "bridge_bookz"], "celery")
    assert not BridgeRoute.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("side", "more", "said"),
    [
        ("kafka", {}, "right is one of celery, shadow, canary, postgres"),
        ("canary", {}, "needs its share"),
        ("canary", {"percent": 101}, "from 0 to 100"),
        ("canary", {"percent": float("nan")}, "from 0 to 100"),
        ("celery", {"percent": 5}, "only a canary does"),
        ("postgres", {"sticks_to": "number"}, "Only a canary sticks"),
        ("canary", {"percent": 5, "sticks_to": "site"}, "its arguments: number, wait_s"),
    ],
)
def test_a_route_that_cannot_be_meant_is_refused(books_task: Task, side: str, more: Any, said: str) -> None:
    with pytest.raises(errors.WrongRoute, match=said):
        routes.change(["bridge_books"], side, **more)
    assert not BridgeRoute.objects.exists()


@pytest.mark.django_db
def test_without_celery_there_is_one_side_and_no_question(
    books_task: Task, acme: int, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(extra, "is_there", lambda: False)
    with pytest.raises(errors.WrongRoute, match=r"youtility-tasks\[celery\]"):
        routes.change(["bridge_books"], "shadow")
    with tenant(acme), django_assert_num_queries(1):
        sides.send(books_task, (), {"number": 1}, {})


def test_two_who_change_a_route_at_once_both_count(books_task: Task, transactional_db: None) -> None:
    def change() -> None:
        try:
            routes.change(["bridge_books"], "celery")
        finally:
            connections["default"].close()

    both = [threading.Thread(target=change) for _ in range(4)]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert routes.find("bridge_books").version == 4
    assert TaskAuditLog.objects.filter(act="route").count() == 4


def elsewhere(side: str) -> None:
    """Another process changes the route."""
    BridgeRoute.objects.update_or_create(task_name="bridge_books", defaults={"side": side})


@pytest.mark.django_db
def test_a_process_asks_the_table_once_a_second(
    books_task: Task, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(routes, "time", SimpleNamespace(monotonic=lambda: now[0]))
    elsewhere("celery")
    with django_assert_num_queries(1):
        assert {routes.side_of("bridge_books", each) for each in range(50)} == {"celery"}
    elsewhere("postgres")
    now[0] += 0.99
    assert routes.side_of("bridge_books", 7) == "celery"
    now[0] += 0.02
    assert routes.side_of("bridge_books", 7) == "postgres"


@pytest.mark.django_db
def test_after_settling_everybody_goes_the_new_way(books_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        elsewhere("celery")
        known = routes._Known()  # another process's
        routes.forget()
        assert routes.side_of("bridge_books", 7) == "celery"
        known.routes, known.read_at = routes._known.routes, routes._known.read_at
        elsewhere("postgres")
        routes.settle()
        monkeypatch.setattr(routes, "_known", known)
        assert routes.side_of("bridge_books", 7) == "postgres"

    check()
    monkeypatch.setattr(routes, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: None))
    with pytest.raises(AssertionError):
        check()


@pytest.mark.django_db
def test_enqueue_is_never_routed(books_task: Task, acme: int) -> None:
    routes.change(["bridge_books"], "celery")
    with tenant(acme):
        books_task.enqueue(number=1)
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_a_canvas_goes_here_only_when_each_of_its_tasks_does(
    books_task: Task, stumbles_task: Task, declare: Callable[..., Task]
) -> None:
    assert sides.all_here(["bridge_books", "bridge_stumbles"])
    routes.change(["bridge_stumbles"], "shadow")
    assert not sides.all_here(["bridge_books", "bridge_stumbles"])
    assert sides.all_here(["bridge_books"])
    with transaction.atomic():
        routes.change(["bridge_stumbles"], "postgres")
    assert sides.all_here(["bridge_books", "bridge_stumbles"])
