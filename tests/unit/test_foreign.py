"""Other packages' tasks in our terms: priorities, arguments, options, names from a table; and our own pickled."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from tests.acceptance.app import mutants, plain
from youtility_tasks import context, errors, foreign, registry, task, tasks_api

THEIRS = st.integers(-100, 100)


# -- priorities


@given(THEIRS, THEIRS)
def test_what_is_more_urgent_there_is_never_less_urgent_here(one: int, other: int) -> None:
    if one >= other:
        assert foreign.priority(one) <= foreign.priority(other)


def test_all_ten_priorities_are_used_and_the_default_is_ours() -> None:
    found = [foreign.priority(theirs) for theirs in range(-100, 101)]

    assert (found[0], found[100], found[200]) == (10, 5, 1)
    assert set(found) == set(range(1, 11))


# -- arguments


def test_arguments_are_made_fit_for_json_as_django_makes_them() -> None:
    joins = registry.adopt(plain.joins)

    assert foreign.arguments(joins, ((1, 2),), {"end": b"x"}) == {"args": [[1, 2]], "kwargs": {"end": "x"}}


def itself() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (dt.datetime(2026, 1, 1), errors.NotJson, r"args\.args\[0\] is a datetime.*isoformat.*Unsupported type"),
        (b"\xff", errors.NotJson, r"args\.args\[0\] is a bytes.*base64.*Unsupported value"),
        ({1, 2}, errors.NotJson, r"args\.args\[0\] is a set.*sorted.*Unsupported type"),
        (itself(), errors.TooDeep, "deeper than 100 levels"),
    ],
)
def test_what_is_no_json_is_refused_in_our_words_and_djangos(value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        foreign.arguments(registry.adopt(plain.joins), (value,), {})


def test_refusals_that_python_has_a_name_for_are_caught_by_it() -> None:
    assert issubclass(errors.NotJson, TypeError)
    assert issubclass(errors.WrongArguments, TypeError)


def test_a_function_that_shows_another_signature_than_it_takes_is_asked_itself() -> None:
    reads, tells = registry.adopt(plain.reads), registry.adopt(plain.tells)

    assert foreign.takes(reads, ("w",), {})
    assert not foreign.takes(reads, ("f", "w"), {})
    assert foreign.takes(tells, ("w",), {})


# -- options of a call


LATER = dt.datetime(2027, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))


@given(THEIRS, st.sampled_from([None, LATER]))
def test_a_call_is_kept_with_its_options_and_read_back(priority: int, run_after: dt.datetime | None) -> None:
    called = replace(plain.joins, priority=priority, run_after=run_after)

    stored = {"args": [], foreign.CALLED_WITH: foreign.changes(called, plain.joins)}

    assert foreign.as_called(plain.joins, stored) == called
    assert ("priority" in stored[foreign.CALLED_WITH]) == (priority != plain.joins.priority)


NONSENSE: list[Any] = [
    None, 5, [], {}, {"priority": "x"}, {"priority": 101}, {"queue_name": []}, {"queue_name": "gone"}, {"backend": "gone"},
    {"run_after": "tomorrow"}, {"run_after": 5}, {"func": "x"},
]  # fmt: skip


@pytest.mark.parametrize("changed", NONSENSE, ids=repr)
def test_options_that_cannot_be_had_leave_the_task_as_it_is_declared(changed: Any) -> None:
    assert foreign.as_called(plain.joins, {foreign.CALLED_WITH: changed}) == plain.joins


@override_settings(USE_TZ=False, TIME_ZONE="Asia/Kolkata")
def test_a_naive_instant_means_the_zone_of_the_settings_where_django_has_no_zones() -> None:
    naive = dt.datetime(2027, 1, 1, 12)

    adopted = registry.adopt(plain.joins.using(run_after=naive))

    assert adopted.run_after == dt.datetime(2027, 1, 1, 6, 30, tzinfo=dt.UTC)
    assert adopted.stands_for is not None and adopted.stands_for.run_after == naive


# -- names from a table


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that could be imported, of a package that nobody uses."""
    (tmp_path / "yt_stranger.py").write_text("def job(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "yt_stranger"


def test_a_name_in_a_table_loads_no_package_that_is_not_in_use(stranger: str) -> None:
    assert registry.resolve(f"{stranger}.job") is None
    assert stranger not in sys.modules


def test_somebody_notices_when_any_package_is_loaded(stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "is_within_reach", foreign.is_within_reach)  # brought back afterwards
    guard = 'path.partition(".")[0] in sys.modules'
    mutants.apply(mutants.Mutant("youtility_tasks.foreign", "is_within_reach", guard, "True"))

    with pytest.raises(AssertionError):
        test_a_name_in_a_table_loads_no_package_that_is_not_in_use(stranger)
    sys.modules.pop(stranger)


def test_a_task_of_a_package_that_is_no_application_is_found() -> None:
    """`tests` is none here."""
    found = registry.resolve("tests.acceptance.app.plain.joins")

    assert found is not None and found.stands_for is plain.joins
    assert registry.resolve("tests.acceptance.app.plain.opened") is None


# -- pickled


def mails(*, number: int = 0) -> None:
    """The function of a task; what the module calls by its name is the task."""


mails = task(mails, name="mails_of_test_foreign", lock=lambda args: "fixed")  # type: ignore[assignment]
registry.forget("mails_of_test_foreign")


@pytest.mark.parametrize("options", [{}, {"priority": 1, "run_after": LATER, "unique": "k"}])
def test_our_tasks_can_be_pickled_and_copied_with_their_options(options: dict[str, Any]) -> None:
    called = mails.using(**options)  # type: ignore[attr-defined]

    assert pickle.loads(pickle.dumps(called)) == called  # noqa: S301
    assert copy.deepcopy(called) == called
    result = tasks_api.result_of_json(context.running(called, job_id=1, attempt=1, args=[], kwargs={"number": 1}))
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301


def test_what_is_no_declaration_of_ours_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="joins is no task of this package"):
        pickle.dumps(registry.adopt(plain.joins))
