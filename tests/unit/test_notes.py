"""What a task says of its way: the latest now and then, whatever it gives, and what a worker makes of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from youtility_tasks import notes
from youtility_tasks.finish import Decision, Verdict
from youtility_tasks.notes import Notes, Progress
from youtility_tasks.status import Outcome
from youtility_tasks.workers.children import Job
from youtility_tasks.workers.ended import Ended
from youtility_tasks.workers.told import Told


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(notes.time, "monotonic", lambda: now[0])
    return now


def job(job_id: int = 5, claim_number: int = 3) -> Job:
    return Job(job_id, claim_number, "task", "{}", 1, 7, 9, None)


def test_of_a_million_reports_few_are_told_and_the_last_one_always(clock: list[float]) -> None:
    said, told = Notes(5, 9, 3, tenant_id=7), []
    for n in range(1_000):
        said.progress(n, 1_000, "rows")
        clock[0] += 0.01
        row = said.take()
        told += [] if row is None else [row]

    assert len(told) == 20
    assert told[1] == (5, 3, 50.0, 1000.0, "rows")
    assert said.rest() == (5, 3, 999.0, 1000.0, "rows")


def test_what_was_told_is_not_told_again(clock: list[float]) -> None:
    said = Notes(5, 9, 3, tenant_id=7)
    assert (said.take(), said.rest()) == (None, None)
    said.progress(1, None, "")
    assert said.take() is not None
    clock[0] += 10

    assert (said.has_news(), said.take(), said.rest()) == (False, None, None)


class Unspeakable:
    def __str__(self) -> str:
        raise ZeroDivisionError

    def __float__(self) -> float:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ((1, 2, "x"), (1.0, 2.0, "x")),
        ((True, None, None), (1.0, None, "None")),
        ((1, 2, "a\0b" + "x" * 300), (1.0, 2.0, 200)),
        ((10**400, None, ""), None),
        ((math.nan, 1, ""), None),
        ((1, math.inf, ""), None),
        (("many", None, ""), None),
        ((None, None, ""), None),
        ((Unspeakable(), None, ""), None),
        ((1, None, Unspeakable()), (1.0, None, ...)),
    ],
)
def test_whatever_a_task_says_is_stored_or_left_out_and_never_an_error(
    said: tuple[Any, Any, Any], kept: tuple[Any, ...] | None
) -> None:
    found = notes.checked(said)

    if kept is None or found is None:
        assert found == kept
        return
    assert found[:2] == kept[:2]
    if isinstance(kept[2], str):
        assert found[2] == kept[2]
    assert len(found[2]) <= notes.LONGEST_NOTE and "\0" not in found[2]


def test_what_is_no_number_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    said = Notes(5, 9, 3, tenant_id=7)
    said.progress("half", None, "")

    assert said.rest() is None
    said.progress(10**400, None, "")
    assert said.rest() is None
    assert "progress is no number and left out id=5 said=('half', None, '')" in caplog.text


def test_marked_values_are_taken_out_of_a_note() -> None:
    said = Notes(5, 9, 3, tenant_id=7, scrub=lambda text: text.replace("jo", "***"))
    said.progress(1, 2, "mailed jo")

    assert said.rest() == (5, 3, 1.0, 2.0, "mailed ***")


@pytest.mark.parametrize(
    ("done", "total", "note", "shown", "percent"),
    [
        (40, 100, "pages", "40 of 100 pages (40 %)", 40),
        (40, None, "pages", "40 pages", None),
        (0.5, 2, "", "0.5 of 2 (25 %)", 25),
        (3, 2, "", "3 of 2 (100 %)", 100),
        (3, 0, "", "3 of 0", None),
    ],
)
def test_it_is_shown_in_words(done: float, total: float | None, note: str, shown: str, percent: float | None) -> None:
    progress = Progress(done, total, note, datetime.now(UTC))

    assert (str(progress), progress.percent) == (shown, percent)


def test_a_worker_keeps_the_latest_of_each_job_until_it_is_written() -> None:
    told = Told()
    for n in (1, 2):
        told.hear(job(5), [n, 10, "x"])
        told.hear(job(6), [n, None, ""])
    assert told.wake.is_set()

    assert told.take({5, 6, 7}) == [(5, 3, 2.0, 10.0, "x"), (6, 3, 2.0, None, "")]
    assert (told.take({5, 6}), told.wake.is_set()) == ([], False)


@pytest.mark.parametrize("said", [None, [], [1, 2], [1, 2, "x", 4], ["x", None, ""], [math.nan, None, ""], {}])
def test_a_worker_believes_nothing_that_a_child_says(said: Any) -> None:
    told = Told()
    told.hear(job(), said)

    assert told.take({5}) == []


def test_what_could_not_be_written_is_kept_unless_there_is_newer_and_goes_with_the_job() -> None:
    told = Told()
    for job_id in (1, 2, 3):
        told.hear(job(job_id), [1, None, ""])
    rows = told.take({1, 2, 3})
    told.hear(job(2), [2, None, ""])
    told.put_back(rows)

    assert told.wake.is_set()
    assert [(row[0], row[2]) for row in told.take({1, 2})] == [(1, 1.0), (2, 2.0)]


def test_before_an_ending_is_sent_goes_what_was_said_last_unless_it_succeeded() -> None:
    told = Told()
    for job_id in (1, 2, 3):
        told.hear(job(job_id), [job_id, None, ""])

    def ended(verdict: Verdict) -> Ended:
        return Ended({}, Decision(verdict, Outcome.FAILED))

    rows = told.take_of({1: ended(Verdict.SUCCEEDED), 2: ended(Verdict.RETRY), 4: ended(Verdict.FAILED)})

    assert [row[0] for row in rows] == [2]
    assert [row[0] for row in told.take({3})] == [3]
