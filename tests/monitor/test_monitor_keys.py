"""What the keys do: asked with a reason, done by the house's own acts, told; and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.widgets import Input

from tests.monitor.conftest import ACME, BETA, Play, Screen, Yard, beside
from tests.monitor.test_monitor_screen import a_worker
from youtility_tasks.models import Job, QueueControl, TaskAuditLog, TaskWorker
from youtility_tasks.monitor import doing
from youtility_tasks.monitor.desk import Pane
from youtility_tasks.monitor.dialogs import Ask
from youtility_tasks.monitor.doing import Deed
from youtility_tasks.testing import run_jobs

SIZE = (110, 30)


def entered() -> list[tuple[str, str, int | None]]:
    return list(TaskAuditLog.objects.order_by("pk").values_list("act", "reason", "tenant_id"))[2:]


async def choose(screen: Screen, pane: str, key: object) -> None:
    """Put the cursor on that line of a pane."""
    await screen.press(pane)
    its = list(Pane)[int(pane) - 1]
    await screen.until(lambda: screen.app.pane is its and str(key) in screen.app.board().lines, f"{key} is there")
    screen.app.board().move_cursor(row=list(screen.app.board().lines).index(str(key)))
    await screen.until(lambda: screen.app.board().chosen == str(key))


async def answer(screen: Screen, reason: str, *, last: str = "enter") -> None:
    """Give a reason once the question stands there."""
    await screen.until(lambda: isinstance(screen.app.screen, Ask), "the question")
    screen.app.screen.query_one(Input).value = reason
    await screen.press(last)


def test_a_queue_is_paused_and_resumed_with_a_reason(yard: Yard, play: Play) -> None:
    async def story(screen: Screen) -> None:
        await choose(screen, "1", "email")
        await screen.press("p")
        await answer(screen, "fire")
        await screen.shows("paused: fire")
        await choose(screen, "1", "email")
        await screen.press("p")
        await screen.shows("Resume email, paused by")
        await answer(screen, "out")
        await screen.until(lambda: "paused: fire" not in screen.text)

    play(story, size=SIZE)

    assert entered() == [("pause", "fire", None), ("resume", "out", None)]


def test_a_tenant_pauses_its_own_part_of_a_queue(yard: Yard, play: Play) -> None:
    async def story(screen: Screen) -> None:
        await choose(screen, "1", "email")
        await screen.press("p")
        await answer(screen, "quiet day")
        await screen.shows("tenant 7 paused: quiet day")

    play(story, size=SIZE, tenant_id=ACME)

    assert [(each.queue_name, each.tenant_id) for each in QueueControl.objects.all()] == [("email", ACME)]


def test_jobs_are_cancelled_retried_and_discarded(yard: Yard, play: Play) -> None:
    waits, broken, lost = yard.put(ACME, yard.polish), yard.put(ACME, yard.shatter), yard.put(BETA, yard.shatter)
    run_jobs("reports")

    async def story(screen: Screen) -> None:
        for key, job, reason in (("c", waits, "twice"), ("r", broken, ""), ("d", lost, "closed")):
            await choose(screen, "3", job)
            await screen.press(key)
            await answer(screen, reason)
            await screen.until(lambda: not isinstance(screen.app.screen, Ask))
        await screen.until(lambda: str(lost) in screen.app.board().lines)
        await screen.until(lambda: screen.app.board().lines[str(lost)][1] == "cancelled")

    play(story, size=SIZE)

    assert entered() == [("cancel", "twice", ACME), ("retry", "", ACME), ("discard", "closed", BETA)]
    assert dict(Job.objects.values_list("pk", "status")) == {broken: "todo"}


def discarding_without_a_reason(yard: Yard, play: Play) -> None:
    lost = yard.put(ACME, yard.shatter)
    run_jobs("reports")

    async def story(screen: Screen) -> None:
        await choose(screen, "3", lost)
        await screen.press("d")
        await answer(screen, "  ")
        await screen.looked()
        await screen.press("escape")
        await screen.looked()

    play(story, size=SIZE)

    assert Job.objects.filter(status="failed").exists() and entered() == []


def test_nothing_is_discarded_without_a_reason(yard: Yard, play: Play) -> None:
    discarding_without_a_reason(yard, play)


def test_a_dialog_that_asks_for_no_reason_would_be_noticed(
    yard: Yard, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lax(job_id: int, discard: Callable[[int], Deed] = doing.discard) -> Deed:
        asked = discard(job_id)
        return Deed(asked.asks, asked.do, asked.told)

    monkeypatch.setattr(doing, "discard", lax)

    with pytest.raises(AssertionError):
        discarding_without_a_reason(yard, play)


def test_what_is_thought_better_of_or_refused_or_gone_changes_nothing(yard: Yard, play: Play) -> None:
    job = yard.put(ACME, yard.polish)

    async def story(screen: Screen) -> None:
        await choose(screen, "3", job)
        await screen.press("c")
        await answer(screen, "twice", last="escape")
        await screen.until(lambda: not isinstance(screen.app.screen, Ask))
        await screen.press("r")
        await answer(screen, "")
        await screen.shows("cannot be retried")
        assert await beside(lambda: (Job.objects.get().status, entered())) == ("todo", [])
        await beside(lambda: Job.objects.all().delete())
        await screen.looked()
        await screen.shows("No job matches.")
        await screen.press("c")
        screen.app._read_job(job)
        await screen.shows(f"No job has the id {job} any more.")
        await screen.press("escape")
        screen.app._do(doing.cancel(job))
        await answer(screen, "")
        await screen.shows(f"No job has the id {job} here")

    play(story, size=SIZE)


def test_workers_are_quieted_released_and_drained(yard: Yard, play: Play) -> None:
    a_worker()

    async def story(screen: Screen) -> None:
        for key, reason, shown in (("z", "deploy", "> quiet"), ("z", "", "running"), ("x", "moves", "> drain")):
            await choose(screen, "2", 14)
            await screen.press(key)
            await answer(screen, reason)
            await screen.until(lambda shown=shown: shown in screen.app.board().lines.get("14", ("", "", ""))[2])
        await screen.press("enter")
        await screen.shows("order_reason: moves", "child 21")

    play(story, size=SIZE)

    assert [act for act, _, _ in entered()] == ["quiet worker", "resume worker", "drain worker"]
    assert TaskWorker.objects.get().told == "drain"


def test_jobs_are_filtered_searched_and_opened(yard: Yard, play: Play) -> None:
    waits, broken = yard.put(ACME, yard.polish), yard.put(ACME, yard.shatter, words="oh no")
    run_jobs("reports")

    async def story(screen: Screen) -> None:
        await screen.press("3")
        await screen.until(lambda: set(screen.app.board().lines) == {str(waits), str(broken)})
        await screen.press("f")
        await screen.until(lambda: set(screen.app.board().lines) == {str(waits)}, "only todo")
        await screen.press("f")
        await screen.shows("No job matches.")
        await screen.press("f")
        await screen.until(lambda: set(screen.app.board().lines) == {str(broken)}, "only failed")
        await screen.press("f", "f", "f", "f", "slash")
        screen.app.query_one("#search", Input).value = "polis"
        await screen.press("enter")
        await screen.until(lambda: set(screen.app.board().lines) == {str(waits)}, "found")
        await choose(screen, "3", waits)
        await screen.press("enter")
        await screen.shows(f"Job {waits}", "No attempt has ended yet.", "No worker serves its queue email")
        await screen.press("escape", "4")
        await screen.until(lambda: screen.app.board().lines)
        await screen.press("enter")
        await screen.until(lambda: set(screen.app.board().lines) == {str(broken)}, "the jobs of the error")
        await screen.press("enter")
        await screen.shows("ValueError: oh no", "attempt 1: failed")

    play(story, size=SIZE)
