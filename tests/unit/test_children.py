"""A worker's view of its children: what one said before it died counts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.app import mutants
from youtility_tasks.conf import QueueSettings
from youtility_tasks.workers import death, wire
from youtility_tasks.workers.board import Board
from youtility_tasks.workers.children import Children, Job

Scene = Callable[["FakeNursery", Children, list[dict[str, Any]]], None]


class FakeMatron:
    """Hands out the nurseries that a test looks into."""

    def __init__(self) -> None:
        self.control, self.other = socket.socketpair()
        self.nurseries: list[FakeNursery] = []
        self.told: list[dict[str, int]] = []

    def news(self) -> list[dict[str, int]]:
        told, self.told = self.told, []
        return told

    def nursery(self) -> FakeNursery:
        self.nurseries.append(FakeNursery())
        return self.nurseries[-1]

    def close(self) -> None:
        for end in (self.control, self.other):
            end.close()
        for nursery in self.nurseries:
            nursery.clean_up()


class FakeNursery:
    """Bears sockets instead of processes."""

    def __init__(self) -> None:
        self.control, self.other = socket.socketpair()
        self.control.setblocking(False)
        self.is_alive = True
        self.pid: int | None = None
        self.given_up = False
        self.childs_ends: list[socket.socket] = []
        self.boards: list[Board] = []
        self.told: list[dict[str, int]] = []

    def ask(self, board_fd: int) -> socket.socket:
        self.boards.append(Board(board_fd))
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.childs_ends.append(theirs)
        return ours

    def news(self) -> list[dict[str, int]] | None:
        told, self.told = self.told, []
        return told if self.is_alive else None

    def close(self) -> None:
        self.control.close()

    def clean_up(self) -> None:
        for end in (self.control, self.other, *self.childs_ends):
            end.close()


NO_PROCESS = 2**22 + 1
"""A pid that Linux never gives."""


def job(number: int, *, claim_number: int = 1, crash_count: int = 0, args: str = "{}") -> Job:
    return Job(number, claim_number, "t", args, 1, 0, 1, task=None, crash_count=crash_count)


def ending(number: int, *, claim_number: int = 1, **more: Any) -> bytes:
    return wire.pack({"ended": [{"id": number, "claim_number": claim_number, "happened": "returned", **more}]})


@pytest.fixture
def stage() -> Callable[..., list[dict[str, Any]]]:
    """Plays a scene on an event loop; what was reported."""

    def play(scene: Scene, *, processes: int = 1, threads: int = 4) -> list[dict[str, Any]]:
        reported: list[dict[str, Any]] = []

        async def run() -> None:
            matron = FakeMatron()
            children = Children(matron, QueueSettings(processes=processes, threads=threads), reported.append)  # type: ignore[arg-type]
            try:
                scene(matron.nurseries[0], children, reported)
            finally:
                children.close()
                matron.close()

        asyncio.run(run())
        return reported

    return play


def born_and_died(nursery: FakeNursery, children: Children, status: int) -> None:
    nursery.told = [{"born": NO_PROCESS}, {"died": NO_PROCESS, "status": status}]
    children.nurseries._hear_nursery(nursery)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [10, 70_000, 150_000])
def test_an_ending_that_was_sent_before_the_child_died_counts(stage: Callable[..., Any], size: int) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        said = ending(1, result="x" * size) + ending(2)
        nursery.childs_ends[0].setblocking(False)
        assert nursery.childs_ends[0].send(said) == len(said)
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, signal.SIGKILL)

    (report,) = stage(scene)

    assert report["happened"] == "returned"
    assert len(report["result"]) == size


def test_half_an_ending_is_a_crash(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        nursery.childs_ends[0].sendall(ending(1)[:-3])
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, signal.SIGKILL)

    (report,) = stage(scene)

    assert report["happened"] == "crashed"
    assert "signal SIGKILL" in report["error_message"]


GARBAGE = [b"\0\0\0\5hello", b"\xff\xff\xff\xffhello"]


@pytest.mark.parametrize("garbage", GARBAGE, ids=["no JSON", "endless"])
def test_a_child_that_nobody_understands_has_crashed_with_all_it_has(stage: Callable[..., Any], garbage: bytes) -> None:
    """A task has written to each descriptor that it found; it may have ended since."""

    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2), job(3)])
        nursery.childs_ends[0].sendall(ending(1) + garbage + ending(2))
        children._hear_child(children.members[0])
        nursery.childs_ends[0].sendall(ending(3))
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, signal.SIGKILL)
        assert children.members == []

    said = {report["id"]: report["happened"] for report in stage(scene)}

    assert said == {1: "returned", 2: "crashed", 3: "crashed"}


def test_a_child_that_nobody_understands_is_killed(stage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(death, "kill_group", killed.append)

    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        nursery.told = [{"born": NO_PROCESS}]
        children.nurseries._hear_nursery(nursery)  # type: ignore[arg-type]
        nursery.childs_ends[0].sendall(GARBAGE[0])
        children._hear_child(children.members[0])
        assert killed == [NO_PROCESS]

    stage(scene)


def heard(stage: Callable[..., Any]) -> tuple[list[Any], list[Any]]:
    """What the children of a scene said of how far jobs are, and what was reported."""
    told: list[Any] = []

    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.hear = lambda job, said: told.append((job.job_id, said))
        children.give([job(1, claim_number=5), job(2, claim_number=5), job(3, claim_number=5)])
        rows = [[1, 5, 1, 2, "x"], [2, 4, 1, 2, "of an earlier claim"], [99, 5, 1, 2, "of nobody"], None, [[]], "x"]
        said = wire.pack({"progress": rows, "ended": []}) + wire.pack({"progress": 7, "ended": []})
        nursery.childs_ends[0].sendall(said + ending(3, claim_number=5, progress=[3, 5, 9, 9, "last"]))
        children._hear_child(children.members[0])

    return told, stage(scene)


def test_a_child_says_how_far_a_job_is_only_of_the_claims_that_it_was_given(
    stage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, reported = heard(stage)

    assert told == [(1, [1, 2, "x"]), (3, [9, 9, "last"])]
    assert [each["id"] for each in reported if each["happened"] == "returned"] == [3]
    assert all("progress" not in each for each in reported)

    monkeypatch.setattr(Children, "_hear_progress", Children._hear_progress)  # put back after the test
    mutants.apply(
        mutants.Mutant(
            "youtility_tasks.workers.children", "Children._hear_progress", "job.claim_number == row[1]", "True"
        )
    )
    assert heard(stage)[0] == [(1, [1, 2, "x"]), (2, [1, 2, "of an earlier claim"]), (3, [9, 9, "last"])]


def test_a_child_speaks_only_for_the_claims_that_it_was_given(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1, claim_number=5)])
        nursery.childs_ends[0].sendall(ending(1, claim_number=4) + ending(99))
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, os.WEXITSTATUS(0) << 8)

    (report,) = stage(scene)

    assert (report["id"], report["claim_number"], report["happened"]) == (1, 5, "crashed")
    assert "exit code 0" in report["error_message"]


def test_the_neighbours_of_a_job_that_was_killed_are_handed_back(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        for number in (1, 2, 3):
            children.give([job(number)])
        children.drop(2)
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, signal.SIGKILL)

    assert {(report["id"], report["happened"]) for report in stage(scene)} == {(1, "handed_back"), (3, "handed_back")}


def test_a_job_alone_gets_a_child_of_its_own_and_nobody_joins_it(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1, crash_count=1)])
        children.give([job(2)])
        children.give([job(3, crash_count=1)])
        assert [sorted(child.jobs) for child in children.members] == [[1], [2], [3]]
        children.give([job(4)])
        assert [sorted(child.jobs) for child in children.members] == [[1], [2, 4], [3]]

    stage(scene)


def test_jobs_spread_over_the_processes(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        for number in range(6):
            children.give([job(number)])
        assert [len(child.jobs) for child in children.members] == [3, 3]
        assert children.running() == 6

    stage(scene, processes=2)


def test_a_child_that_does_not_read_never_blocks_its_worker(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1, args=json.dumps({"x": "y" * 1_000_000}))])

        assert len(children.members[0].outbox) > 500_000

    stage(scene)


def test_no_job_is_given_to_a_child_that_was_killed(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        children.drop(1)
        children.give([job(2)])
        assert [sorted(child.jobs) for child in children.members] == [[], [2]]

    stage(scene)


def test_only_the_jobs_that_ran_are_blamed_for_a_death(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2), job(3)])
        nursery.childs_ends[0].sendall(ending(1))
        nursery.boards[0].start(2)
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, signal.SIGSEGV)

    said = {report["id"]: report["happened"] for report in stage(scene)}

    assert said == {1: "returned", 2: "crashed", 3: "handed_back"}


def test_a_child_that_died_before_it_began_anything_is_blamed_on_all_it_had(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2)])
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, signal.SIGSEGV)

    assert {report["happened"] for report in stage(scene)} == {"crashed"}


def test_a_child_that_ended_itself_with_its_lease_crashed_nothing(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2)])
        nursery.boards[0].start(1)
        nursery.boards[0].give_up()
        nursery.childs_ends[0].close()
        children.extend_lease(time.monotonic() + 60)
        born_and_died(nursery, children, signal.SIGKILL)

    assert [report["happened"] for report in stage(scene)] == ["handed_back", "handed_back"]


def test_what_waits_in_a_child_that_says_nothing_is_called_back_once(stage: Callable[..., Any], settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"recall_s": 0.001}

    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2)])
        nursery.boards[0].start(1)
        children.members[0].heard_at -= 1
        children.look_at_clocks()
        children.look_at_clocks()
        assert children.stuck() == 1
        inbox = wire.Inbox()
        assert [sorted(message) for message in wire.receive(nursery.childs_ends[0], inbox) or ()] == [
            ["run"],
            ["recall"],
        ]

        nursery.childs_ends[0].sendall(ending(1))
        children._hear_child(children.members[0])
        assert children.stuck() == 0

    stage(scene)


def test_a_child_whose_jobs_all_run_is_left_alone(stage: Callable[..., Any], settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"recall_s": 0.001}

    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2)])
        nursery.boards[0].start(1)
        nursery.boards[0].start(2)
        children.members[0].heard_at -= 1
        children.look_at_clocks()
        assert children.stuck() == 0

    stage(scene)


def test_a_death_by_a_signal_that_has_no_name_is_a_crash_too(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        nursery.childs_ends[0].close()
        born_and_died(nursery, children, signal.SIGRTMIN + 6)

    (report,) = stage(scene)

    assert report["error_message"] == "The process that ran it died (signal 40)."


# -- the nursery dies


def nursery_died(nursery: FakeNursery, children: Children) -> None:
    nursery.is_alive = False
    children.nurseries._hear_nursery(nursery)  # type: ignore[arg-type]


def test_the_death_of_a_nursery_is_blamed_on_what_ran_and_on_nothing_else(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2)])
        children.give([job(3)])
        nursery.boards[0].start(1)
        nursery_died(nursery, children)
        for child, end in zip(list(children.members), nursery.childs_ends, strict=True):
            end.close()
            children._hear_child(child)
        assert not children.gone.is_set()

    said = {report["id"]: report["happened"] for report in stage(scene, processes=2)}

    assert said == {1: "crashed", 2: "handed_back", 3: "handed_back"}


def test_nothing_is_said_of_the_children_of_a_dead_nursery_before_they_are_gone(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, reported: list[dict[str, Any]]) -> None:
        children.give([job(1)])
        nursery.boards[0].start(1)
        nursery_died(nursery, children)
        children.look_at_clocks()
        assert reported == []
        assert children.running() == 1

        nursery.childs_ends[0].sendall(ending(1))
        nursery.childs_ends[0].close()
        children._hear_child(children.members[0])
        children._hear_child(children.members[0])
        assert children.members == []

    assert [report["happened"] for report in stage(scene)] == ["returned"]


def test_a_child_of_a_dead_nursery_that_has_no_process_any_more_is_buried(stage: Callable[..., Any]) -> None:
    """Something that it started holds its socket still."""

    def scene(nursery: FakeNursery, children: Children, reported: list[dict[str, Any]]) -> None:
        children.give([job(1)])
        nursery.boards[0].start(1)
        nursery.told = [{"born": NO_PROCESS}]
        children.nurseries._hear_nursery(nursery)  # type: ignore[arg-type]
        nursery_died(nursery, children)
        assert [report["happened"] for report in reported] == ["crashed"]

    stage(scene)


def test_after_the_death_of_a_nursery_children_are_born_in_another(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        nursery.boards[0].start(1)
        nursery_died(nursery, children)
        children.give([job(2)])
        assert len(nursery.boards) == 1
        assert [sorted(child.jobs) for child in children.members] == [[1], [2]]

    stage(scene)


def test_a_nursery_that_dies_while_nothing_runs_ends_its_worker(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        nursery_died(nursery, children)
        assert children.gone.is_set()

    stage(scene)


def test_a_job_that_crashed_has_a_nursery_to_itself_which_ends_with_it(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, reported: list[dict[str, Any]]) -> None:
        children.give([job(1, crash_count=1), job(2)])
        first, second = children.members
        own = first.nursery
        assert own is not second.nursery is nursery  # type: ignore[comparison-overlap]
        assert isinstance(own, FakeNursery)
        own.childs_ends[0].sendall(ending(1))
        born_and_died(own, children, 0)
        assert own.control.fileno() == -1
        assert nursery.control.fileno() != -1
        assert [report["happened"] for report in reported] == ["returned"]

    stage(scene)


def told_of_its_birth(children: Children, pid: int) -> None:
    children.nurseries.matron.told = [{"born": pid}]  # type: ignore[attr-defined]
    children.nurseries._hear_matron()


def pass_the_lease(children: Children) -> None:
    for child in children.members:
        child.heard_at -= 60
    children.look_at_clocks()


def test_a_nursery_that_bears_nothing_is_killed_and_its_worker_lives(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, reported: list[dict[str, Any]]) -> None:
        told_of_its_birth(children, NO_PROCESS)
        children.give([job(1)])
        children.look_at_clocks()
        assert not nursery.given_up, "it still has time"

        pass_the_lease(children)

        assert nursery.given_up
        nursery.childs_ends[0].close()
        children._hear_child(children.members[0])
        nursery_died(nursery, children)
        assert not children.gone.is_set()
        assert [report["happened"] for report in reported] == ["handed_back"]

    stage(scene)


def test_a_nursery_that_does_not_tell_of_a_death_is_killed_too(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        told_of_its_birth(children, NO_PROCESS)
        children.give([job(1)])
        nursery.boards[0].start(1)
        nursery.told = [{"born": NO_PROCESS + 1}]
        children.nurseries._hear_nursery(nursery)  # type: ignore[arg-type]
        pass_the_lease(children)
        assert not nursery.given_up, "the child runs"

        nursery.childs_ends[0].close()
        children._hear_child(children.members[0])
        pass_the_lease(children)

        assert nursery.given_up

    stage(scene)


def test_a_matron_that_bears_nothing_ends_her_worker(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        pass_the_lease(children)
        assert children.gone.is_set()

    stage(scene)


def test_nobody_is_late_in_the_eyes_of_a_worker_that_was_stopped_itself(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1)])
        children.looked_at -= 60
        pass_the_lease(children)
        assert not children.gone.is_set()

    stage(scene)


def what_it_was_told(end: socket.socket) -> list[dict[str, Any]]:
    end.setblocking(False)
    return wire.receive(end, wire.Inbox()) or []


def test_the_child_that_gets_the_next_job_is_roused_and_no_other(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.give([job(1), job(2)])
        for number, end in enumerate(nursery.childs_ends, 1):
            what_it_was_told(end)
            end.sendall(ending(number))
            children._hear_child(children.members[number - 1])
        children.rouse()
        assert [what_it_was_told(end) for end in nursery.childs_ends] == [[{"rouse": True}], []]
        children.give([job(3)])
        assert [len(what_it_was_told(end)) for end in nursery.childs_ends] == [1, 0]

    stage(scene, processes=2, threads=1)


def test_nobody_is_roused_while_something_runs_or_before_there_is_a_child(stage: Callable[..., Any]) -> None:
    def scene(nursery: FakeNursery, children: Children, _: Any) -> None:
        children.rouse()
        assert children.members == []
        children.give([job(1)])
        what_it_was_told(nursery.childs_ends[0])
        children.rouse()
        assert what_it_was_told(nursery.childs_ends[0]) == []

    stage(scene)


def test_a_child_that_does_not_read_is_roused_no_further(stage: Callable[..., Any]) -> None:
    """What waits for it would grow with every notification."""

    def scene(nursery: FakeNursery, children: Children, reported: Any) -> None:
        children.give([job(1)])
        nursery.childs_ends[0].sendall(ending(1))
        children._hear_child(children.members[0])
        children.members[0].outbox += b"more than its socket takes"
        children.rouse()
        assert children.members[0].outbox == b"more than its socket takes"

    stage(scene)
