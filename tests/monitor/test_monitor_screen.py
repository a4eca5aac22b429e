"""What the screen shows, in terminals of any size, whatever tasks and errors say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.text import Text

from tests.monitor.conftest import ACME, BETA, HOSTILE, Play, Screen, Yard, beside
from youtility_tasks import controls, schedules, tenant
from youtility_tasks.models import TaskExecutionHistory, TaskWorker
from youtility_tasks.monitor import dialogs, rows, tables
from youtility_tasks.monitor.app import HELP, Monitor
from youtility_tasks.monitor.desk import Pane
from youtility_tasks.testing import run_jobs

SIZES = [(80, 24), (140, 40)]


def a_worker(**columns: object) -> None:
    usual = {"id": 14, "host": "north", "pid": 11, "token": "t", "queue_name": "email", "status": "running", "slots": 4}
    children = [{"pid": 21, "memory_bytes": 64 << 20, "jobs": 2}]
    TaskWorker.objects.create(**{**usual, "children": children, "memory_bytes": 32 << 20, **columns})


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_each_pane_shows_what_there_is(yard: Yard, play: Play, size: tuple[int, int]) -> None:
    yard.put(ACME, yard.polish), yard.put(BETA, yard.shatter)
    run_jobs("reports")
    controls.pause(queue="email", reason="fire")
    a_worker()
    with tenant(ACME):
        schedules.create("nightly", "polish", cron="0 2 * * *")

    async def story(screen: Screen) -> None:
        await screen.shows("all tenants", "todo 1", "failed 1", "email", "high_priority", "paused: fire")
        await screen.press("2")
        await screen.shows("14", "running", "96 MiB")
        await screen.press("3")
        await screen.shows("polish", "todo", "shatter", "failed")
        await screen.press("4")
        await screen.shows("shatter", "ValueError")
        await screen.press("5")
        await screen.shows("nightly", "0 2 * * *")
        await screen.press("question_mark")
        await screen.shows("pause, or resume")
        await screen.press("escape", "1")
        await screen.shows("paused: fire")

    play(story, size=size)


def test_the_screen_of_a_quiet_house_is_this_one(yard: Yard, play: Play) -> None:
    yard.put(ACME, yard.polish), yard.put(ACME, yard.polish)
    seen: list[str] = []

    async def story(screen: Screen) -> None:
        await screen.shows("email")
        seen.extend(screen.lines)

    play(story)

    kept = (Path(__file__).parent / "screen.txt").read_text().splitlines()
    assert [line.rstrip() for line in masked(seen)] == kept


def masked(lines: list[str]) -> list[str]:
    """Without what the clock says."""
    return [
        re.sub(r"\d\d:\d\d:\d\dZ", "hh:mm:ssZ", re.sub(r"\b\d+ m?s\b", lambda m: "~" * len(m[0]), line))
        for line in lines
    ]


def test_no_terminal_is_too_small_or_too_large(yard: Yard, play: Play) -> None:
    yard.put(ACME, yard.polish)

    async def story(screen: Screen) -> None:
        for size in ((1, 1), (10, 3), (400, 8), (500, 200), (20, 60)):
            await screen.pilot.resize_terminal(*size)
            await screen.press("3", "question_mark", "escape", "c", "escape", "1")
            await screen.looked()

    play(story)


# -- hostile text


def screen_of_hostile_words(yard: Yard, play: Play) -> list[str]:
    """Everything that the panes and the pages show of an error that would like to be markup."""
    job = yard.put(ACME, yard.shatter)
    run_jobs("reports")
    TaskExecutionHistory.objects.update(
        error_message=HOSTILE.replace("\x00", ""), traceback=HOSTILE.replace("\x00", "")
    )
    a_worker(host=HOSTILE.replace("\x00", ""))
    controls.pause(queue="email", reason=HOSTILE)
    seen: list[str] = []

    async def story(screen: Screen) -> None:
        await screen.shows("email")
        seen.extend(screen.lines)
        for key, word in (("2", "14"), ("3", str(job)), ("4", "shatter")):
            await screen.press(key)
            await screen.until(lambda word=word: word in screen.text)
            seen.extend(screen.lines)
        await screen.press("3")
        await screen.until(lambda: screen.app.pane is Pane.JOBS and screen.app.board().chosen)
        await screen.press("enter")
        await screen.shows("attempt 1")
        seen.extend(screen.lines)
        await screen.press("escape")
        screen.app._say(HOSTILE, is_bad=True)
        screen.app._tell_trouble(HOSTILE)
        await screen.pilot.pause()
        seen.extend(screen.lines)
        assert screen.app.is_running

    play(story, size=(220, 50))
    return seen


def test_what_errors_say_is_text(yard: Yard, play: Play) -> None:
    seen = screen_of_hostile_words(yard, play)

    assert sum("[bold red]the window[/]" in line for line in seen) >= 6
    assert not any(sign in line for line in seen for sign in ("\x1b", "\r", "\u202e"))


@pytest.mark.parametrize("where", ["cells", "pages"])
def test_markup_that_is_believed_would_be_noticed(
    yard: Yard, play: Play, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    believing = lambda said: Text.from_markup(said.replace("[/nope]", "").replace("[/]", "").replace("\n", " "))  # noqa: E731
    if where == "cells":
        monkeypatch.setattr(tables, "cell", believing)
    else:
        monkeypatch.setattr(dialogs, "text", believing)

    seen = screen_of_hostile_words(yard, play)

    assert sum("[bold red]the window[/]" in line for line in seen) < 6


# -- tenants


def test_a_tenant_sees_its_own_and_no_workers(yard: Yard, play: Play) -> None:
    mine, theirs = yard.put(ACME, yard.polish), yard.put(BETA, yard.shatter)
    a_worker()

    async def story(screen: Screen) -> None:
        await screen.shows("tenant 7", "todo 1 ")
        await screen.press("2")
        await screen.shows(rows.NOT_A_TENANTS)
        assert "north" not in screen.text
        await screen.press("3")
        await screen.shows(str(mine))
        assert "shatter" not in screen.text and str(theirs) not in [
            line.split()[0] for line in screen.lines if line.strip()
        ]

    play(story, tenant_id=ACME, size=(100, 30))


def test_the_help_names_every_key() -> None:
    for binding in Monitor.BINDINGS:
        assert (binding.key_display or binding.key) in HELP, binding


# -- while one reads


def test_the_cursor_stays_with_its_line(yard: Yard, play: Play) -> None:
    jobs = [yard.put(ACME, yard.polish) for _ in range(5)]

    async def story(screen: Screen) -> None:
        await screen.press("3")
        await screen.until(lambda: screen.app.board().chosen == str(jobs[4]))
        await screen.press("down", "down")
        assert screen.app.board().chosen == str(jobs[2])
        newer = await beside(lambda: yard.put(ACME, yard.polish))
        await screen.looked()
        await screen.until(lambda: str(newer) in screen.text)
        assert screen.app.board().chosen == str(jobs[2])

    play(story)
