"""What a task says of its way: the latest now and then, whatever it gives, and what a worker makes of it."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from youtility_tasks import notes
from youtility_tasks.finish import Decision, Verdict
from youtility_tasks.notes import Notes, Progress
from youtility_tasks.status import Outcome
from youtility_tasks.workers.children import Job
from youtility_tasks.workers.ended import Ended
from youtility_tasks.workers.holdings import Holdings
from youtility_tasks.workers.link import LinkDown
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


class FakeLink:
    """Writes down what is asked, or fails as it was told to."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.asked: list[Any] = []
        self.error: Exception | None = None

    async def ask(self, name: str, /, *, worker_id: int, told: str) -> list[Any]:
        assert (name, worker_id) == ("note_progress", 9)
        if self.error is not None:
            raise self.error
        self.asked.append([(row[0], row[2]) for row in json.loads(told)])
        return []


@pytest.fixture
def told() -> Told:
    """Of a worker that holds jobs 1 to 3."""
    held = Holdings()
    for job_id in (1, 2, 3):
        held.take(job(job_id))
    return Told(FakeLink(), held, lambda: 9)  # type: ignore[arg-type]


def test_a_worker_keeps_the_latest_of_each_job_that_it_holds_until_it_is_written(told: Told) -> None:
    for n in (1, 2):
        told.hear(job(1), [n, 10, "x"])
        told.hear(job(2), [n, None, ""])
        told.hear(job(99), [n, None, ""])

    assert told.take() == [(1, 3, 2.0, 10.0, "x"), (2, 3, 2.0, None, "")]
    assert told.take() == []


@pytest.mark.parametrize("said", [None, [], [1, 2], [1, 2, "x", 4], ["x", None, ""], [math.nan, None, ""], {}])
def test_a_worker_believes_nothing_that_a_child_says(told: Told, said: Any) -> None:
    told.hear(job(1), said)

    assert told.take() == []


def end(told: Told, job_id: int, verdict: Verdict) -> None:
    told._holdings.end(job_id, Ended({}, Decision(verdict, Outcome.FAILED)))


def test_before_an_ending_is_sent_goes_what_was_said_last_unless_it_succeeded(told: Told) -> None:
    for job_id in (1, 2, 3):
        told.hear(job(job_id), [job_id, None, ""])
    end(told, 1, Verdict.SUCCEEDED)
    end(told, 2, Verdict.RETRY)

    asyncio.run(told.write_of_ended())

    assert told._link.asked == [[(2, 2.0)]]  # type: ignore[attr-defined]
    assert [row[0] for row in told.take()] == [3]


def test_what_could_not_be_written_is_kept_unless_there_is_newer(told: Told) -> None:
    for job_id in (1, 2):
        told.hear(job(job_id), [1, None, ""])
        end(told, job_id, Verdict.FAILED)
    told._link.error = LinkDown()  # type: ignore[attr-defined]
    with pytest.raises(LinkDown):
        asyncio.run(told.write_of_ended())
    told.hear(job(2), [2, None, ""])
    told._link.error = None  # type: ignore[attr-defined]

    asyncio.run(told.write_of_ended())

    assert told._link.asked == [[(1, 1.0), (2, 2.0)]]  # type: ignore[attr-defined]


def test_what_the_database_refuses_ends_no_worker(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.hear(job(1), [1, None, ""])
    end(told, 1, Verdict.FAILED)
    told._link.error = psycopg.errors.InsufficientPrivilege()  # type: ignore[attr-defined]

    asyncio.run(told.write_of_ended())

    assert "progress not written worker=9 jobs=1 error=InsufficientPrivilege" in caplog.text
    assert told.latest == {}


def test_a_worker_writes_what_it_hears_by_and_by_and_asks_nothing_while_it_hears_nothing(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note_sleep(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    async def play() -> None:
        keeping = asyncio.ensure_future(told.keep())
        await sleep(0)
        told.hear(job(1), [1, None, ""])
        told.hear(job(2), [1, None, ""])
        while not slept:
            await sleep(0)
        told.hear(job(1), [2, None, ""])
        while len(slept) < 2:
            await sleep(0)
        for _ in range(10):
            await sleep(0)
        keeping.cancel()

    monkeypatch.setattr("youtility_tasks.workers.told.asyncio.sleep", note_sleep)
    asyncio.run(play())

    assert told._link.asked == [[(1, 1.0), (2, 1.0)], [(1, 2.0)]]  # type: ignore[attr-defined]
    assert slept == [notes.REST_S] * 2
