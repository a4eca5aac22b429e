"""What the screen shows, in terminals of any size, whatever tasks and errors say."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F
from rich.text import Text

from tests.monitor.conftest import ACME, BETA, HOSTILE, Play, Screen, Yard, beside
from youtility_tasks import controls, schedules, tenant
from youtility_tasks.models import Job, TaskExecutionHistory, TaskWorker
from youtility_tasks.monitor import dialogs, rows, tables
from youtility_tasks.monitor.app import HELP, Monitor
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
    Job.objects.update(enqueued_at=F("enqueued_at") - timedelta(days=5))
    seen: list[str] = []

    async def story(screen: Screen) -> None:
        await screen.shows("email", "? help", "pause/resume")
        seen.extend(screen.lines)

    play(story)

    kept = (Path(__file__).parent / "screen.txt").read_text().splitlines()
    assert [re.sub(r"\d\d:\d\d:\d\dZ", "hh:mm:ssZ", line) for line in seen] == kept


def test_no_terminal_is_too_small_or_too_large(yard: Yard, play: Play) -> None:
    yard.put(ACME, yard.polish)

    async def story(screen: Screen) -> None:
        for size in ((1, 1), (300, 90)):
            await screen.pilot.resize_terminal(*size)
            await screen.press("3", "question_mark", "escape")
            await screen.looked()

    play(story)


# -- hostile text

SAID = "[bold red]the window[/]"


def hostile_words_on_each_surface(yard: Yard, play: Play) -> dict[str, str]:
    """What the panes and the pages show of an error that would like to be markup, and to steer the terminal."""
    hostile = HOSTILE.replace("\x00", "")
    job = yard.put(ACME, yard.shatter)
    run_jobs("reports")
    TaskExecutionHistory.objects.update(error_message=hostile, traceback=hostile)
    a_worker(host=hostile)
    controls.pause(queue="email", reason=HOSTILE)
    seen: dict[str, str] = {}

    async def story(screen: Screen) -> None:
        await screen.shows("email")
        seen["queues"] = screen.text
        for key, name, word in (("2", "workers", "14"), ("3", "jobs", str(job))):
            await screen.press(key)
            await screen.until(lambda name=name: screen.app.pane == name and screen.app.board().lines)
            await screen.shows(word)
            seen[name] = screen.text
        await screen.press("enter")
        await screen.shows("attempt 1")
        seen["page"] = screen.text
        await screen.press("escape", "2")
        screen.app._tell_trouble(HOSTILE)
        screen.app._say(HOSTILE, is_bad=True)
        await screen.shows("gone")
        seen["banner"] = screen.text
        assert screen.app.is_running

    play(story, size=(220, 50))
    return seen


def test_what_errors_say_is_text(yard: Yard, play: Play) -> None:
    seen = hostile_words_on_each_surface(yard, play)

    assert [name for name, text in seen.items() if SAID not in text] == []
    assert not [sign for sign in ("\x1b", "\r", "\u202e") if sign in "".join(seen.values())]


def test_markup_that_is_believed_would_be_noticed(yard: Yard, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((tables, "cell"), (dialogs, "text")):
        monkeypatch.setattr(module, name, lambda said: Text.from_markup(re.sub(r"\[/nope\]|\n", " ", said)))

    seen = hostile_words_on_each_surface(yard, play)

    assert {"jobs", "page"} <= {surface for surface, text in seen.items() if SAID not in text}


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
