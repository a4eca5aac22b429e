"""What a worker makes of bulk operations that it cannot carry on now."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from youtility_tasks.workers import operating
from youtility_tasks.workers.operating import Operating


@pytest.mark.parametrize(
    ("rows", "carried", "least_s", "most_s"),
    [
        ([], [], 0.8 * operating.POLL_S, operating.POLL_S),
        ([(None, None)], [], operating.LOCKED_S, operating.LOCKED_S),
        ([(7, 3)], [(7, 3)], 0, 0),
    ],
    ids=["none", "the table is locked", "one"],
)
def test_how_long_until_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    rows: list[tuple[Any, ...]],
    carried: list[tuple[int, int]],
    least_s: float,
    most_s: float,
) -> None:
    done: list[Any] = []

    async def here(work: Any) -> None:
        work()

    async def ask(name: str, **_: Any) -> list[tuple[Any, ...]]:
        return rows

    async def looked() -> float:
        link = cast(Any, SimpleNamespace(turn=asyncio.Lock(), ask=ask))
        one = Operating(link, lambda: True)
        monkeypatch.setattr(one, "_carry_on", done.extend)
        return await one._round()

    monkeypatch.setattr(operating, "apart", here)
    assert least_s <= asyncio.run(looked()) <= most_s
    assert done == carried
    assert ("somebody has locked their table" in caplog.text) is (rows == [(None, None)])
