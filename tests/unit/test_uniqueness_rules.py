"""What a rule of uniqueness may say, and what its key is made of; without a database."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from youtility_tasks import Debounce, Secret, Task, Unique, Workflow, errors, uniqueness
from youtility_tasks.conf import settings as settings_now


def visit(*, site_id: int, day: str = "today", notes: str = "") -> None:
    pass


def call(*, phone: Secret[str], site_id: int = 1) -> None:
    pass


def open_ended(*, site_id: int = 1, **more: Any) -> None:
    pass


def declared(function: Any = visit, **options: Any) -> Task:
    return Task(func=function, task_name="visit", queue_name="email", priority=5, **options)


def key(rule: uniqueness.Rule, **arguments: Any) -> str | None:
    return uniqueness.key_of(rule, arguments, inspect.signature(visit), lambda name: False)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Unique(while_="running"), "while_ is 'running'; right is one of 'waiting', 'waiting_or_running'"),
        (lambda: Unique(on_conflict="raise"), "on_conflict is 'raise'; right is 'keep' or 'replace'"),
        (lambda: Unique(period_s=0), "period_s is 0; right is more than 0"),
        (lambda: Unique(period_s=True), "period_s is True; right is more than 0"),
        (lambda: Unique(period_s="60"), "period_s is '60'; right is more than 0"),
        (lambda: Unique(period_s=float("nan")), "period_s is nan; right is more than 0"),
        (lambda: Unique(period_s=1e9), "period_s is 1000000000.0; right is more than 0 and at most"),
        (lambda: Unique(by="site_id", key="k"), "by is .* and key is 'k'; right is one of the two"),
        (lambda: Unique(by=5), "by is 5; right is a name of an argument, or a tuple of names"),
        (lambda: Unique(by=("",)), "by is .*; right is a name of an argument"),
        (lambda: Unique(key=5), "key is 5; right is text, or a function of the arguments"),
        (lambda: Debounce(-1), "window_s is -1; right is more than 0"),
        (lambda: Debounce(30, max_wait_s=10), "max_wait_s is 10, shorter than the window of 30 s"),
        (lambda: declared(debounce="30"), "has debounce='30'; right is Debounce"),
        (lambda: declared(debounce=0), "window_s is 0; right is more than 0"),
        (lambda: declared(debounce=5, unique="k"), "has unique='k' and debounce=.*; right is one of the two"),
        (lambda: declared(debounce=5, queueing_lock="q"), "has a queueing lock and Debounce.*; right is one of the two"),
        (lambda: declared(unique=Unique(), queueing_lock="q"), "has a queueing lock and Unique.*; right is one of the two"),
        (lambda: declared(debounce=5).using(run_after=datetime(2030, 1, 1, tzinfo=UTC)), "says itself when the job runs"),
        (lambda: declared(unique=Unique(by=("site", "day"))), "by names 'site'; right are arguments of the task: site_id, day"),
        (lambda: declared(debounce=Debounce(5, by="x")), "by names 'x'; right are arguments"),
        (lambda: declared(verbatim=True, unique=Unique(by="site_id")), "by names 'site_id'; .*: none by name"),
        (lambda: declared(unique=Unique(period_s=365 * 86_400 + 1)), "right is at most 31536000 s, for which its history is kept"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_what_would_be_right(make: Any, says: str) -> None:
    with pytest.raises(errors.WrongOption, match=says) as refused:
        make()
    assert isinstance(refused.value, errors.EnqueueError) and isinstance(refused.value, errors.ConfigurationError)


def test_a_period_is_no_longer_than_the_history_of_its_own_task(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"retention_days_by_task": {"visit": 1}, "retention_days_by_outcome": {"cancelled": 2}}

    with pytest.raises(errors.WrongOption, match="at most 86400 s"):
        declared(unique=Unique(period_s=86_401))
    declared(unique=Unique(period_s=86_400))


def test_a_rule_with_less_said_means() -> None:
    assert Unique().while_ == "waiting_or_running"
    assert Unique(period_s=60).while_ is None
    assert Unique(by="b") == Unique(by=("b",)) and Unique(by=("b", "a")) == Unique(by=["a", "b", "a"])
    assert (Debounce(30).longest_s, Debounce(30, max_wait_s=45).longest_s) == (300, 45)
    assert declared(debounce=30).rule == Debounce(30)
    assert declared(unique="k").rule is None and declared(unique=False).unique is None


def test_a_call_takes_another_rule_in_the_place_of_the_declared_one() -> None:
    task = declared(unique=Unique(by="site_id"))

    assert task.using(priority=1).rule == Unique(by="site_id")
    assert task.using(debounce=5).rule == Debounce(5) and task.using(debounce=5).unique is None
    assert task.using(unique="k").unique == "k"
    assert task.using(unique=False).rule is None
    assert task.using(debounce=5).using(unique=Unique()).rule == Unique()


def test_a_key_is_made_of_the_named_arguments_with_their_defaults() -> None:
    by_site = Unique(by="site_id")

    assert key(by_site, site_id=5, day="x") == key(by_site, site_id=5, day="y") != key(by_site, site_id=6)
    assert key(Unique(by=("day", "site_id")), site_id=5) == key(Unique(by=("site_id", "day")), site_id=5, day="today")
    assert (
        key(Unique(), site_id=5)
        == key(Unique(), site_id=5, day="today", notes="")
        != key(Unique(), site_id=5, notes="x")
    )
    assert key(Unique(by=()), site_id=5) == key(Unique(by=()), site_id=6, notes="x")
    assert key(Unique(by="site_id"), site_id=5) != key(Unique(by="day"), site_id=5, day=5)
    assert key(Unique(key=lambda args: f"{args['site_id']}!"), site_id=5) == "5!"
    assert key(Unique(key="k"), site_id=5) == "k"


@given(
    st.dictionaries(
        st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.floats() | st.text(), max_size=4
    )
)
def test_a_key_shows_no_value_and_is_the_same_for_the_same_arguments(arguments: dict[str, Any]) -> None:
    signature = inspect.signature(open_ended)
    one, again = (
        uniqueness.key_of(Unique(), {**arguments, "notes": "Ms Secretive"}, signature, lambda name: False)
        for _ in range(2)
    )

    assert one == again and one is not None
    assert len(one) == len("*#") + 32 and "Secretive" not in one


def test_digests_of_marked_arguments_stand_in_the_key_by_themselves() -> None:
    task = declared(call, unique=Unique())
    rule = task.rule
    assert rule is not None

    def made(phone: str | None, site_id: int = 1) -> str | None:
        return uniqueness.key_of(
            rule, {"phone": phone, "site_id": site_id}, task.signature, lambda name: bool(task.marks.of(name))
        )

    assert str(made("d1")).endswith(":d1") and str(made("d1"))[:-3] == str(made("d2"))[:-3]
    assert made(None) != made("None") and made("d1", 2) != made("d1")


def test_names_of_further_arguments_may_make_a_key() -> None:
    declared(open_ended, unique=Unique(by=("site_id", "anything")))


def test_a_step_has_a_job_of_its_own(declare: Any) -> None:
    flow = Workflow("w")
    for options in ({"debounce": 5}, {"unique": Unique()}):
        task = declare(visit, tenant="all", **options)
        with pytest.raises(
            errors.WrongOption, match=r"cannot have a unique key, nor be debounced.*using\(unique=False\)"
        ):
            flow.step(task, site_id=5)
        assert task.using(unique=False).rule is None


def test_the_page_names_the_default_number_of_windows() -> None:
    assert uniqueness.WINDOWS_AT_MOST == 10
    assert settings_now().kept_days("visit") == 365
