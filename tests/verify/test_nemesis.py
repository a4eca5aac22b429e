"""What a fault says of itself: whom it met, and for how long they went on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import psutil
import pytest

from tests.acceptance.app.mutants import Mutant, apply
from youtility_tasks.verify import nemesis
from youtility_tasks.verify.crew import NotInTime
from youtility_tasks.verify.nemesis import Stage
from youtility_tasks.workers import family

WORKER = 1


@pytest.fixture
def nursery() -> Iterator[tuple[int, int]]:
    """A process and its child, which outlives it until somebody kills it too."""
    told, tell = os.pipe()

    def bear() -> None:
        child = family.fork(signal.pause, die_with_parent=False)
        os.write(tell, child.to_bytes(4, "big"))
        signal.pause()

    pid = family.fork(bear)
    child = int.from_bytes(os.read(told, 4), "big")
    yield pid, child
    for each in (pid, child):
        nemesis._signal(each, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(told)
    os.close(tell)


def stage_of(crew: Any, ledger: Any) -> Stage:
    return Stage(crew, ledger, cast(Any, None), cast(Any, None), random.Random(1))  # noqa: S311


def runs(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


@pytest.fixture
def killed(nursery: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """Kills the nursery; what the ledger was told, how the nursery stood when it was listed, and who ran at the end."""
    pid, child = nursery
    seen: dict[str, Any] = {}

    def family_of(asked: int) -> list[SimpleNamespace]:
        if asked == pid:
            seen["stood"] = psutil.Process(pid).status()
        return [SimpleNamespace(pid=each) for each in (pid, child)]

    def write(_: Any, **about: Any) -> None:
        seen["pids"] = about["pids"]
        seen["still ran"] = [each for each in (pid, child) if runs(each)]

    look = nemesis.until

    def until(see: Callable[[], Any], what: str) -> Any:
        if what == "the killed are dead" and not see():
            os.kill(child, signal.SIGKILL)  # as the kernel does a moment after the death of its parent
        return look(see, what)

    def kill() -> dict[str, Any]:
        crew = SimpleNamespace(family=family_of, workers=lambda: [(1, WORKER, 0)])
        ledger = SimpleNamespace(running=lambda: [(child, "brief-1")], write=write)
        nemesis.kill_nursery(stage_of(crew, ledger))
        return seen

    monkeypatch.setattr(nemesis, "until", until)
    return kill


def test_a_killed_nursery_bears_none_unlisted_and_is_said_to_be_hit_until_all_are_dead(
    killed: Callable[[], dict[str, Any]], nursery: tuple[int, int]
) -> None:
    assert killed() == {"stood": psutil.STATUS_STOPPED, "pids": list(nursery), "still ran": []}


@pytest.mark.parametrize(("holds", "hits"), [(nemesis._HOLDS, 1), (1, 0)])
def test_who_finds_no_finish_that_waits_holds_once_more(monkeypatch: pytest.MonkeyPatch, holds: int, hits: int) -> None:
    """When it looked first, nothing ran, or what runs for long."""
    looks = iter([NotInTime("nobody waits"), NotInTime("nobody waits"), [(True,)]])

    def until(*_: Any, **__: Any) -> Any:
        if isinstance(found := next(looks), NotInTime):
            raise found
        return found

    told: list[int] = []
    crew = SimpleNamespace(place=SimpleNamespace(connect=mock.MagicMock()), settings={})
    ledger = SimpleNamespace(write=lambda _, **about: told.append(about["hits"]))
    crew.place.connect.return_value.__enter__.return_value.transaction.return_value.__exit__.return_value = False
    monkeypatch.setattr(nemesis, "until", until)
    monkeypatch.setattr(nemesis, "_HOLDS", holds)

    nemesis.terminate_in_finish(stage_of(crew, ledger))

    assert told == [hits]


@pytest.mark.parametrize(
    ("guard", "key"), [("_signal(pid, signal.SIGSTOP)", "stood"), ("_wait_until_dead(family)", "still ran")]
)
def test_without_its_care_a_child_could_die_unexplained(
    killed: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, guard: str, key: str
) -> None:
    monkeypatch.setattr(nemesis, "kill_nursery", nemesis.kill_nursery)
    if key == "stood":
        monkeypatch.setattr(nemesis, "_STILL", (psutil.STATUS_SLEEPING,))
    apply(Mutant(nemesis.__name__, "kill_nursery", guard, "pass"))

    assert killed()[key] not in (psutil.STATUS_STOPPED, [])
