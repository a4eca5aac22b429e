"""What a worker makes of schedules that it cannot fire now: the others have their turn, and this one is looked at later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.db import OperationalError

from youtility_tasks.errors import UnknownTask
from youtility_tasks.schedules.firing import Settled
from youtility_tasks.workers import ticker
from youtility_tasks.workers.link import LinkDown
from youtility_tasks.workers.ticker import Ticker


class FakeLink:
    """Answers with the schedules that it is given: id -> seconds until it is due."""

    def __init__(self, **due: float) -> None:
        self.due = {int(name[1:]): in_s for name, in_s in due.items()}
        self.turn = asyncio.Lock()
        self.is_down = False
        self.asked: list[list[int]] = []

    async def ask(self, name: str, *, but_not: list[int], most: int) -> list[tuple[int, int, float]]:
        if self.is_down:
            raise LinkDown("gone")
        self.asked.append(but_not)
        rows = [(schedule_id, 0, in_s) for schedule_id, in_s in self.due.items() if schedule_id not in but_not]
        return sorted(rows, key=lambda row: row[2])[:most]

    async def pause(self) -> None:
        return None


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ticker whose schedules behave as they are told to: id -> what `fire` raises, or answers."""

    def make(link: FakeLink, **does: Any) -> tuple[Ticker, list[int]]:
        asked: list[int] = []

        def fire(schedule_id: int, tenant_id: int) -> Settled | None:
            asked.append(schedule_id)
            answer = does.get(f"s{schedule_id}", Settled())
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                link.due[schedule_id] = 60.0
            return answer

        made = Ticker(link, lambda: True)  # type: ignore[arg-type]
        monkeypatch.setattr(ticker.firing, "fire", fire)

        async def here(work: Any) -> None:
            work()

        monkeypatch.setattr(ticker, "apart", here)
        monkeypatch.setattr(made, "_fire", lambda due: [made._fire_one(*each) for each in due])

        class Connections(dict[str, Any]):
            def __missing__(self, alias: str) -> Any:
                return type("C", (), {"ensure_connection": lambda self: None})()

        monkeypatch.setattr(ticker, "connections", Connections())
        return made, asked

    return make


def rounds(ticking: Ticker, n: int) -> list[float]:
    async def run() -> list[float]:
        return [await ticking._round() for _ in range(n)]

    return asyncio.run(run())


def test_it_sleeps_until_the_next_tick_and_no_longer_than_the_poll(made: Any) -> None:
    ticking, asked = made(FakeLink(s1=0.5, s2=900.0))
    assert rounds(ticking, 1) == [0.5] and asked == []
    ticking, _ = made(FakeLink(s2=900.0))
    (sleep_s,) = rounds(ticking, 1)
    assert 24 <= sleep_s <= 30


def test_while_somebody_has_locked_the_table_it_says_so_and_looks_again(
    made: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    link = FakeLink()

    async def ask(*_: Any, **__: Any) -> list[Any]:
        return [(None, None, None)]

    monkeypatch.setattr(link, "ask", ask)
    ticking, asked = made(link)
    assert rounds(ticking, 1) == [ticker.LOCKED_S] and asked == []
    assert "somebody has locked their table" in caplog.text


@pytest.mark.parametrize("trouble", [None, OperationalError("lock timeout"), RuntimeError("a bug")])
def test_one_that_cannot_be_fired_is_put_off_and_the_others_have_their_turn(made: Any, trouble: Any) -> None:
    link = FakeLink(s1=-1.0, s2=-0.5)
    ticking, asked = made(link, s1=trouble)

    first, sleep_s = rounds(ticking, 2)

    assert asked == [1, 2]
    assert link.asked == [[], [1]], "it is not asked for again while it is put off"
    assert first == 0.0 and 0 < sleep_s <= 5


def test_it_is_put_off_for_longer_every_time_up_to_five_seconds(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(ticker.time, "monotonic", lambda: now[0])
    ticking, asked = made(FakeLink(s1=-1.0), s1=None)
    waits = []
    for _ in range(8):
        _, sleep_s = rounds(ticking, 2)
        waits.append(round(sleep_s, 3))
        now[0] += sleep_s + 0.001
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert len(asked) == 8


def test_a_task_that_this_code_does_not_know_is_left_to_others_for_half_a_minute(made: Any) -> None:
    ticking, _ = made(FakeLink(s1=-1.0), s1=UnknownTask("t", []))
    rounds(ticking, 1)
    assert ticking._later[1].until - ticker.time.monotonic() > 25


def test_what_somebody_else_has_fired_is_forgotten(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(ticker.time, "monotonic", lambda: now[0])
    link = FakeLink(s1=-1.0)
    ticking, _ = made(link, s1=None)
    rounds(ticking, 1)
    link.due[1] = 60.0
    now[0] += 1
    rounds(ticking, 1)
    assert ticking._later == {}


def test_a_queue_out_of_reach_is_asked_again(made: Any) -> None:
    link = FakeLink(s1=-1.0)
    ticking, asked = made(link)
    link.is_down = True
    assert rounds(ticking, 1) == [0.0] and asked == []
    link.is_down = False
    rounds(ticking, 1)
    assert asked == [1]
