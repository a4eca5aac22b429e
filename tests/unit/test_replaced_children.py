"""Why a child was replaced: told by its worker, once, with the jobs that are to blame."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from tests.acceptance.app import mutants
from tests.acceptance.app.mutants import Mutant
from tests.unit.test_children import GARBAGE, NO_PROCESS, FakeNursery, born_and_died, ending, job, nursery_died, stage
from youtility_tasks.finish import Happened
from youtility_tasks.status import REPLACEMENTS, Replacement
from youtility_tasks.workers import processes
from youtility_tasks.workers.children import Children
from youtility_tasks.workers.replaced import LAST, Replaced

__all__ = ["stage"]

Told = tuple[str, str, tuple[int, ...]]


def dies(nursery: FakeNursery, children: Children, status: int = signal.SIGKILL) -> None:
    nursery.childs_ends[0].close()
    born_and_died(nursery, children, status)


def two_jobs_of_which_one_runs(nursery: FakeNursery, children: Children) -> None:
    children.give([job(1), job(2)])
    nursery.boards[0].start(1)


def its_share_is_done(nursery: FakeNursery, children: Children) -> None:
    children.give([job(1), job(2)])
    nursery.childs_ends[0].sendall(ending(1) + ending(2))
    children._hear_child(children.members[0])
    dies(nursery, children, 0)


def it_has_grown(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    children._retire(children.members[0], Replacement.MEMORY, "700 MiB")
    children._retire(children.members[0], Replacement.JOBS, "2 jobs")
    nursery.childs_ends[0].sendall(ending(1) + ending(2))
    dies(nursery, children, 0)


def it_is_hit_by_a_signal(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    dies(nursery, children, signal.SIGSEGV)


def it_leaves_by_itself(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    dies(nursery, children, 7 << 8)


def it_is_hit_while_it_should_leave(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    children._retire(children.members[0], Replacement.MEMORY, "700 MiB")
    dies(nursery, children)


def it_says_what_nobody_understands(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    nursery.childs_ends[0].sendall(GARBAGE[0])
    children._hear_child(children.members[0])
    dies(nursery, children)


def it_is_asked_to_end_and_does_not(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    children.abort(1)
    children.members[0].jobs[1].abort_deadline = time.monotonic() - 1
    children.look_at_clocks()
    dies(nursery, children)


def it_outstays_its_limit(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    children.members[0].jobs[1].hard_deadline = time.monotonic() - 1
    children.look_at_clocks()
    dies(nursery, children)


def its_nursery_dies(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    nursery_died(nursery, children)
    nursery.childs_ends[0].close()
    children._hear_child(children.members[0])


def its_job_is_taken_away(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    children.drop(1)
    dies(nursery, children)


def it_ends_itself_with_the_lease(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    nursery.boards[0].give_up()
    dies(nursery, children)


def it_begins_nothing(nursery: FakeNursery, children: Children) -> None:
    children.give([job(1)])
    children.members[0].heard_at -= 60
    children.look_at_clocks()
    dies(nursery, children)


def it_is_stopped_for_two_heartbeats(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    nursery.told = [{"born": NO_PROCESS}]
    children.nurseries._hear_nursery(nursery)  # type: ignore[arg-type]
    with mock.patch("youtility_tasks.workers.children.processes") as system:
        system.state.return_value = "T"
        system.resident_bytes.return_value = 2**20
        system.Gone = processes.Gone
        children.snapshot()
        children.snapshot()
    nursery.childs_ends[0].close()
    nursery.told = [{"died": NO_PROCESS, "status": int(signal.SIGKILL)}]
    children.nurseries._hear_nursery(nursery)  # type: ignore[arg-type]


def it_leaves_as_if_told(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    dies(nursery, children, 0)


def it_leaves_as_if_told_when_it_will_be(nursery: FakeNursery, children: Children) -> None:
    two_jobs_of_which_one_runs(nursery, children)
    children._retire(children.members[0], Replacement.MEMORY, "700 MiB")
    dies(nursery, children, 0)


def it_was_born_for_one_job(nursery: FakeNursery, children: Children) -> None:
    nurseries = children.nurseries
    children.give([job(1, crash_count=1)])
    child = children.members[0]
    its = child.nursery
    its.childs_ends[0].sendall(ending(1))  # type: ignore[union-attr]
    children._hear_child(child)
    its.childs_ends[0].close()  # type: ignore[union-attr]
    its.told = [{"born": NO_PROCESS}, {"died": NO_PROCESS, "status": 0}]  # type: ignore[union-attr]
    nurseries._hear_nursery(its)  # type: ignore[arg-type]


def the_worker_leaves(nursery: FakeNursery, children: Children) -> None:
    its_share = children.members
    children.give([job(1), job(2)])
    children._retire(its_share[0], Replacement.JOBS, "2 jobs")
    children.kill_all(Happened.HANDED_BACK)
    dies(nursery, children)


SCENES: dict[Callable[[FakeNursery, Children], None], list[Told]] = {
    its_share_is_done: [("jobs", "2 jobs", ())],
    it_has_grown: [("memory", "700 MiB", ())],
    it_is_hit_by_a_signal: [("crashed", "signal SIGSEGV", (1,))],
    it_leaves_by_itself: [("crashed", "exit code 7", (1,))],
    it_is_hit_while_it_should_leave: [("crashed", "signal SIGKILL", (1,))],
    it_says_what_nobody_understands: [("crashed", "it said what nobody understands", (1, 2))],
    it_is_asked_to_end_and_does_not: [("aborted", "it was asked to end", (1,))],
    it_outstays_its_limit: [("timed_out", "", (1,))],
    its_nursery_dies: [("nursery", "with its parent, the nursery", (1,))],
    its_job_is_taken_away: [("lost", "its job was no longer the worker's", ())],
    it_ends_itself_with_the_lease: [("lost", "its lease ran out", (1,))],
    it_begins_nothing: [("stuck", "it began nothing", (1,))],
    it_is_stopped_for_two_heartbeats: [("stuck", "it was stopped (SIGSTOP)", (1,))],
    it_leaves_as_if_told: [("crashed", "exit code 0", (1,))],
    it_leaves_as_if_told_when_it_will_be: [("crashed", "exit code 0", (1,))],
    it_was_born_for_one_job: [],
    the_worker_leaves: [],
}


def told(stage: Callable[..., Any], play: Callable[[FakeNursery, Children], None]) -> list[Told]:
    """Of the children that this scene loses: why, how, and which jobs are to blame."""
    found: list[Told] = []

    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        play(nursery, children)
        assert children.members == [], "it is buried"
        row = children.replaced.as_row()
        found.extend((each["why"], each["how"], each["jobs"]) for each in row["last"])
        assert sum(row["counts"].values()) == children.replaced.count == len(found)

    stage(scene)
    return found


@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__)
def test_a_child_is_replaced_for_the_reason_that_it_went(stage: Callable[..., Any], settings: Any, play: Any) -> None:
    settings.YOUTILITY_TASKS = {"max_jobs_per_child": 2}

    assert told(stage, play) == SCENES[play]


@pytest.mark.parametrize(
    ("function", "guard", "instead", "play"),
    [
        ("_note", "and not child.jobs", "", it_leaves_as_if_told_when_it_will_be),
        ("_note", "and why is not Replacement.STUCK", "", it_is_stopped_for_two_heartbeats),
        ("_hear_child", "not child.alone and", "", it_was_born_for_one_job),
        ("_retire", "child.leaves_for is None and", "", it_has_grown),
        ("_kill", "child.leaves_for, child.leaves_how = why, words", "pass", the_worker_leaves),
        ("_note", "child.killed_for is None and", "", it_is_asked_to_end_and_does_not),
    ],
)
def test_each_guard_is_needed(stage, settings, monkeypatch, function: str, guard: str, instead: str, play: Any) -> None:
    settings.YOUTILITY_TASKS = {"max_jobs_per_child": 2 if play is not it_was_born_for_one_job else 1}
    monkeypatch.setattr(Children, function, getattr(Children, function))  # put back after the test
    mutants.apply(Mutant("youtility_tasks.workers.children", f"Children.{function}", guard, instead))

    assert told(stage, play) != SCENES[play]


def test_the_last_are_kept_newest_first_and_all_are_counted() -> None:
    its = Replaced()
    for pid in range(LAST + 5):
        its.note(pid, Replacement.JOBS, "3 jobs")
    its.note(99, Replacement.CRASHED, "signal SIGSEGV " + "x" * 500, range(100))

    row = its.as_row()

    assert row["counts"] == {"jobs": LAST + 5, "crashed": 1}
    assert [each["pid"] for each in row["last"]] == [99, *range(LAST + 4, 5, -1)]
    assert (len(row["last"]), len(row["last"][0]["how"]), row["last"][0]["jobs"]) == (LAST, 200, (0, 1, 2, 3, 4))
    assert all(0 <= each["ago_s"] < 60 for each in row["last"])


def test_every_reason_has_words() -> None:
    assert set(REPLACEMENTS) == set(Replacement)
